"""The loop that people write to keep a copy of a CRM, to see what it loses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field
from crm_writers import Writers
from mirrored import Held


@define
class Naive:
    """The loop that people write: `since = page["lastModifiedTime"]`, kept apart from the rows.

    Attributes:
        writers: Who writes meanwhile.
        user: Whose key it has.
        is_killed: Whether it is killed at times, between the cursor and the rows of a page.
        since: The cursors, by module.
        rows: Rows by module and id.
    """

    writers: Writers
    user: str
    is_killed: bool
    since: dict[str, str] = field(factory=dict[str, str])
    rows: dict[str, dict[str, dict[str, Any]]] = field(factory=dict[str, Held])

    def poll(self, modules: Sequence[str], *, is_last: bool = False) -> None:
        """Read changes up to the head, unless it is killed before."""
        scope = "application" if self.user == "admin" else "userandgroup"
        for module in modules:
            more = True
            while more:
                page = self.writers.world.run(
                    "sync",
                    self.user,
                    elementType=module,
                    modifiedTime=self.since.get(module, "1"),
                    syncType=scope,
                )
                before, self.since[module] = self.since.get(module), str(page["lastModifiedTime"])
                if self.is_killed and not is_last and self.writers.chance.random() < 0.15:
                    return
                rows = self.rows.setdefault(module, {})
                for record in page["updated"]:
                    rows[record["id"]] = record
                for rid in page["deleted"]:
                    rows.pop(rid, None)
                more = bool(page["more"]) and before != self.since[module]
                self.writers.some()

    def losses(self, module: str, shown: Mapping[str, Mapping[str, Any]]) -> Counter[str]:
        """Return what it has missed: records, changes and deletes.

        Args:
            module: The module.
            shown: The records that a query shows.
        """
        rows = self.rows.get(module, {})
        both = rows.keys() & shown.keys()
        return Counter(
            records=len(shown.keys() - rows.keys()),
            changes=sum(
                any(shown[rid].get(name, value) != value for name, value in rows[rid].items())
                for rid in both
            ),
            deletes=len(rows.keys() - shown.keys()),
        )
