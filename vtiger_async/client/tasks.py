"""Tasks as a sync tells them: with one status in the place of two.

Open-source Vtiger sends `taskstatus` as `eventstatus`, too, in a sync of Calendar, or the other way
round where there is no `taskstatus`; query and retrieve show each for itself (measured on 8.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from vtiger_async.models.records import Record
from vtiger_async.vtql import F, Select, select

if TYPE_CHECKING:
    from vtiger_async.client.query import Query

__all__ = ["as_shown"]

_STATUSES: Final = ("taskstatus", "eventstatus")
_PAGE: Final = 100


class Asking(Protocol):
    """What may be asked."""

    def query(self, query: Select) -> Query:
        """Return the records of a statement."""
        ...


async def as_shown(source: Asking, told: Sequence[Record | None]) -> list[Record | None]:
    """Return records of Calendar with the statuses that a query shows.

    Only tasks whose two statuses are the same are asked for, 100 to a call. One that is changed
    again meanwhile stays as it is: that change is told as the next.

    Args:
        source: What may be asked.
        told: The records as a sync tells them; None for one that is deleted.
    """
    doubtful = list({one.id: None for one in told if one is not None and _is_doubtful(one)})
    shown: dict[str, Record] = {}
    for at in range(0, len(doubtful), _PAGE):
        some = F["id"].in_(doubtful[at : at + _PAGE])
        statement = select("Calendar", "modifiedtime", *_STATUSES).where(some)
        shown |= {record.id: record for record in await source.query(statement).all()}
    return [one if one is None else _with_own(one, shown.get(one.id)) for one in told]


def _is_doubtful(record: Record) -> bool:
    task, event = (record.get(name) for name in _STATUSES)
    return bool(task) and task == event


def _with_own(told: Record, shown: Record | None) -> Record:
    if shown is None or told.get("modifiedtime") != shown.get("modifiedtime"):
        return told
    statuses = {name: shown.get(name) for name in _STATUSES}
    return Record({**told.fields, **statuses}, told.module)
