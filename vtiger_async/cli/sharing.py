"""Options that several commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from vtiger_async.cli.exits import exits

__all__ = ["sharing"]


def sharing(
    body: Callable[..., None], name: str, options: Callable[..., Any], *, first: bool = False
) -> Callable[..., None]:
    """Return a command that has the options of two functions; errors end it with one line.

    Args:
        body: The command. It is called with its own options, and with what `options` makes of the
            shared ones.
        name: The argument of `body` for that.
        options: Has the shared options for parameters, and is called with them first.
        first: Whether the shared ones come first in the help, and on the command line.
    """
    found = inspect.signature(body, eval_str=True).parameters.values()
    own = [parameter for parameter in found if parameter.name != name]
    shared = list(inspect.signature(options, eval_str=True).parameters.values())

    @functools.wraps(body)
    def command(**given: Any) -> None:
        with exits():
            value = options(**{p.name: given.pop(p.name) for p in shared})
            body(**{name: value}, **given)

    # typer reads the signature; what `wraps` left there is the body's own.
    del command.__wrapped__
    both = (*shared, *own) if first else (*own, *shared)
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in both]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # a function may have one
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command
