"""How a mirror is kept, as its user says it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, get_args

from attrs import frozen

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.mirror.events import MirrorEvent
from vtiger_async.mirror.reconciling import Budget
from vtiger_async.wire.encode import checked_module

__all__ = ["OnDrift", "Options"]

OnDrift: TypeAlias = Literal["evolve", "freeze", "fail"]
"""What is done when a module's fields change: the table follows, stays as it is with new fields in
`_extra`, or the module fails."""


@frozen
class Options:
    """How a mirror is kept.

    Attributes:
        modules: The modules.
        drift: What is done when a module's fields change.
        budget: The calls a day for reconciliation.
        on_event: Is called with each event.
        line_items: Whether documents are retrieved for their line items.
        administrator: Whether the user is an administrator; None where the server is asked.
    """

    modules: tuple[str, ...]
    drift: OnDrift = "evolve"
    budget: Budget = Budget.of(None)  # noqa: RUF009 - it is frozen
    on_event: Callable[[MirrorEvent], object] | None = None
    line_items: bool = True
    administrator: bool | None = None

    @classmethod
    def of(
        cls,
        modules: Sequence[str],
        drift: OnDrift,
        reconcile: str | int | None,
        on_event: Callable[[MirrorEvent], object] | None,
        *,
        line_items: bool = True,
        administrator: bool | None = None,
    ) -> Options:
        """Return the options that a user gives.

        Raises:
            InvalidArgumentError: One of them cannot be used.
        """
        if isinstance(modules, str) or not modules:
            raise InvalidArgumentError("a mirror takes a list of modules, as ['Accounts']")
        names = tuple(checked_module(module) for module in modules)
        if len({name.lower() for name in names}) < len(names):
            raise InvalidArgumentError(f"a module is named twice: {', '.join(names)}")
        if drift not in get_args(OnDrift):
            raise InvalidArgumentError(f"drift is 'evolve', 'freeze' or 'fail', not {drift!r}")
        return cls(names, drift, Budget.of(reconcile), on_event, line_items, administrator)
