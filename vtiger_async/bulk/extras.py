"""Records that are created because a row refers to them (`missing="create"`)."""

from __future__ import annotations

from collections.abc import Mapping

import anyio.to_thread
from attrs import define, field

from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.keys import folded_key
from vtiger_async.bulk.pending import Pending
from vtiger_async.bulk.references import References
from vtiger_async.bulk.steps import LoadInfo, Step
from vtiger_async.models.metadata import Module
from vtiger_async.models.validation import Known, problems_of
from vtiger_async.wire.encode import encode_element

__all__ = ["Extras"]


@define(eq=False)
class Extras:
    """Plans one record for each text that no record has, of which nothing else is known.

    Each module and field is a load of its own in the journal, without a source; its steps have the
    row 0.

    Attributes:
        journal: The job's journal.
        infos: The job's loads; those of extras are added.
        references: Keeps the descriptions.
        steps: Steps that are not yet in the journal.
    """

    journal: Journal
    infos: list[LoadInfo]
    references: References
    steps: list[Step] = field(factory=list[Step])
    _loads: dict[tuple[str, str], int] = field(factory=dict[tuple[str, str], int])
    _new: set[tuple[int, str]] = field(factory=set[tuple[int, str]])

    async def add(
        self, pending: Pending, owner: Mapping[str, str], turn: int
    ) -> tuple[int, str] | str:
        """Plan a record for a reference, unless one is planned for that text already.

        Args:
            pending: The reference.
            owner: Whose it is, by the field of the module that is loaded.
            turn: The turn of its step.

        Returns:
            The load and the key of the record's step, or what is wrong.
        """
        if len(pending.modules) != 1 or pending.modules[0] in ("Users", "Groups"):
            return f"{' or '.join(pending.modules)}: no record is created of what may be of several"
        module = await self.references.described(pending.modules[0])
        name = _field(module, pending)
        if name is None:
            return f"a label of {module.name} has several parts, and cannot be made of one text"
        fields = {name: pending.text}
        wanted = set(module.mandatory_fields) - {name}
        owners = {one for one in wanted if module.fields[one].type.name == "owner"}
        fields.update(dict.fromkeys(owners, next(iter(owner.values()))) if owner else {})
        missing = sorted(one for one in wanted - fields.keys() if module.fields[one].editable)
        if missing:
            return f"a record of {module.name} cannot be created without {', '.join(missing)}"
        problems = problems_of(module, fields, "create", Known(self.references.prefixes))
        if problems:
            return f"{module.name}: {'; '.join(map(str, problems))}"
        load, key = self._load(module, name), folded_key([pending.text])
        if (load, key) not in self._new:
            known = await anyio.to_thread.run_sync(self.journal.with_keys, load, [key])
            if key not in known:
                element = encode_element(module.name, fields)
                self.steps.append(Step(load, 0, "create", turn=turn, key=key, fields=element))
                self._new.add((load, key))
        return load, key

    def _load(self, module: Module, name: str) -> int:
        found = self._loads.get((module.name, name))
        if found is None:
            found = self._loads[module.name, name] = len(self.infos)
            self.infos.append(LoadInfo(module.name, "create", (name,)))
        return found

    def taken(self) -> list[Step]:
        """Return the steps that are not yet in the journal, which they go into now."""
        steps, self.steps = self.steps, []
        self._new.clear()
        return steps


def _field(module: Module, pending: Pending) -> str | None:
    if pending.by not in (None, "label"):
        return pending.by
    return module.label_fields[0] if len(module.label_fields) == 1 else None
