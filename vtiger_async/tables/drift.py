"""What has changed between two descriptions of a module, and the table of both. Pure."""

from __future__ import annotations

import json
from hashlib import blake2b

from attrs import evolve, frozen

from vtiger_async.tables.describing import OWN
from vtiger_async.tables.schema import Table

__all__ = ["Drift", "drift", "evolved", "fingerprint"]


@frozen
class Drift:
    """What has changed in a table; false where nothing has.

    Attributes:
        added: The columns that are new, or there again.
        removed: The columns whose field is not there any more.
        retyped: The columns whose cells are of another kind now.
        restated: The columns whose field has another type, or refers to other modules, and whose
            cells stay as they are.
        picklists: The columns whose picklist has other values, or another order of them.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()
    restated: tuple[str, ...] = ()
    picklists: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any((self.added, self.removed, self.retyped, self.restated, self.picklists))

    @property
    def alters_rows(self) -> bool:
        """Whether the records have to be read again: a column is new, or of another kind."""
        return bool(self.added or self.retyped)

    def __str__(self) -> str:
        parts = (
            ("added", self.added),
            ("removed", self.removed),
            ("retyped", self.retyped),
            ("restated", self.restated),
            ("other picklist values", self.picklists),
        )
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names)


def drift(before: Table, now: Table) -> Drift:
    """Return what has changed from one table to another.

    Args:
        before: The table as it is kept: `evolved` may have made it.
        now: The table by the present description.
    """
    kept = {column.name: column for column in before.columns if not column.gone}
    new = {column.name: column for column in now.columns}
    # One that is gone and comes back with another kind is of another kind to the store.
    ghosts = {column.name: column for column in before.columns if column.gone}
    both = [(kept[name], column) for name, column in new.items() if name in kept]
    old, lists = dict(before.picklists), dict(now.picklists)
    retyped = [column.name for was, column in both if was.kind != column.kind]
    retyped += [n for n, c in new.items() if n in ghosts and ghosts[n].kind != c.kind]
    return Drift(
        added=tuple(name for name in new if name not in kept and name not in retyped),
        removed=tuple(name for name in kept if name not in new),
        retyped=tuple(retyped),
        restated=tuple(
            column.name
            for was, column in both
            if was.kind == column.kind
            and (was.type, was.refers_to) != (column.type, column.refers_to)
        ),
        picklists=tuple(name for name in lists if name in old and old[name] != lists[name]),
    )


def evolved(before: Table, now: Table) -> Table:
    """Return the table that a store is to have after a change: no column is ever lost.

    Columns keep their place; one whose field is gone stays, marked so; new ones come behind the
    other fields, before the package's own.

    Args:
        before: The table as it is kept.
        now: The table by the present description.
    """
    own = {column.name for column in OWN}
    new = {column.name: column for column in now.columns}
    old = [column for column in before.columns if column.name not in own]
    fields = [new.get(column.name) or evolve(column, gone=True) for column in old]
    known = {column.name for column in fields}
    fields += [c for c in now.columns if c.name not in known and c.name not in own]
    return evolve(now, columns=(*fields, *(c for c in now.columns if c.name in own)))


def fingerprint(table: Table) -> str:
    """Return a mark of a table's columns and picklists: equal where nothing has changed.

    Args:
        table: The table.
    """
    columns = [(c.name, c.kind, c.type, c.refers_to) for c in table.columns if not c.gone]
    said = json.dumps([columns, table.picklists])
    return blake2b(said.encode(), digest_size=16).hexdigest()
