"""How a stream reads: what a user may set."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, TypeAlias, TypedDict, cast

from attrs import frozen

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.streams.cursors import CursorStore
from vtiger_async.types import UNSYNCED_MODULES, SyncScope
from vtiger_async.wire.encode import checked_module

__all__ = ["Since", "StreamOptions", "checked_modules", "store_of"]

Since: TypeAlias = "Literal['now'] | datetime | float | None"
"""Where a module begins that the store does not know: None for everything that the server can tell,
`"now"`, or a datetime with a zone or Unix seconds for changes at that second or later. `"now"` is
by the server's clock, and a minute before it, so that clocks which differ cost no change."""


class StreamOptions(TypedDict, total=False):
    """The options of a stream; all may be left out.

    Attributes:
        every: Seconds between two looks at the head, 60 if not given; each costs a call for each
            module.
        since: Where a module begins that the store does not know; everything, if not given.
        scope: Whose records: as in `crm.sync`. If not given, the scope that the stream was begun
            with; at first `"application"` for an administrator and `"userandgroup"` for others, who
            are not told of records that are given to somebody else.
        until_head: Whether the stream ends where no module has more, and does not wait.
        max_unacknowledged: The most changes of a module that are given beyond its stored position,
            100 if not given: so many are held, and so many may be given again after a crash.
    """

    every: float
    since: Since
    scope: SyncScope | None
    until_head: bool
    max_unacknowledged: int


@frozen
class Options:
    """The options of a stream, checked; `StreamOptions` says what they are."""

    every: float = 60.0
    since: Since = None
    scope: SyncScope | None = None
    until_head: bool = False
    max_unacknowledged: int = 100

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no sense; what is wrong with a moment or a scope, the sync says."""
        if not self.every > 0:
            raise InvalidArgumentError(f"every is a number of seconds above 0, not {self.every!r}")
        if type(self.max_unacknowledged) is not int or self.max_unacknowledged < 1:
            raise InvalidArgumentError(
                f"max_unacknowledged is a whole number from 1, not {self.max_unacknowledged!r}"
            )
        if isinstance(self.since, str) and self.since != "now":
            raise InvalidArgumentError(
                "since is None, 'now', a datetime with a zone or Unix seconds, not "
                f"{self.since[:40]!r}: where a stream goes on, its store knows"
            )


def checked_modules(modules: Iterable[str]) -> tuple[str, ...]:
    """Return the modules, each once.

    Raises:
        InvalidArgumentError: There is none, a name cannot be one, or it cannot be synced.
    """
    if isinstance(modules, str):
        raise InvalidArgumentError("modules is a list of names, as in ['Contacts']")
    names = tuple(dict.fromkeys(checked_module(module) for module in modules))
    if not names:
        raise InvalidArgumentError("a stream of changes wants the name of at least one module")
    for module in names:
        if module in UNSYNCED_MODULES:
            raise InvalidArgumentError(
                f"the server tells no changes of {module}: query it, and compare", module=module
            )
    return names


def store_of(store: object) -> CursorStore:
    """Return the store that a user means.

    Args:
        store: A path, or a store.

    Raises:
        InvalidArgumentError: It is neither.
    """
    if isinstance(store, str | os.PathLike):
        from vtiger_async.streams.sqlite import SQLiteCursors  # where a file is wanted

        return SQLiteCursors(cast("str | os.PathLike[str]", store))
    if all(callable(getattr(store, name, None)) for name in ("open", "commit", "aclose")):
        return cast("CursorStore", store)
    raise InvalidArgumentError(
        "store is the path of a file, MemoryCursors(), or an object with open, commit and aclose, "
        f"not {type(store).__name__}"
    )
