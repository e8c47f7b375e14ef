"""What the conversion of a lead makes of it: which fields it fills, and what would be missing.

The map from leads to the others can be changed on each instance, and no operation tells it: what is
known here are the names, which the standard map fills (measured on Vtiger 8.4). A mandatory field
that nothing fills gets "????" there if it holds text; a picklist and a date stay empty, and that
ends the conversion half-way (read in the code of the open source).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from vtiger_async.errors import ConversionError, InvalidArgumentError
from vtiger_async.models.metadata import Field, Module
from vtiger_async.models.validation import Known, problems_of
from vtiger_async.problems import Problem
from vtiger_async.types import FieldValue, RecordId

__all__ = ["MODULES", "Part", "first_stage", "name_of", "part_problems", "parts_of"]

MODULES: Final = {"Accounts": "accountname", "Contacts": "lastname", "Potentials": "potentialname"}
"""What a lead can become, in the order in which the server makes it, and the field of its name."""

Part: TypeAlias = Mapping[str, FieldValue] | bool | None
"""What is asked of one module: fields for the new record, True for none, False or None for no
record."""

_SOURCES = {"Accounts": "company", "Contacts": "lastname", "Potentials": "company"}
"""The lead's field that becomes the name, by the standard map."""
_UNNAMED = "????"
"""What Vtiger 8.4 writes into a name that nothing fills (measured)."""
_STAY_EMPTY = ("picklist", "multipicklist", "date", "datetime")
_LEADS = {"industry", "leadsource", "rating", "salutationtype"}
"""Picklists that leads have under the same name, so that the standard map fills them."""


def parts_of(
    entities: Mapping[str, Mapping[str, FieldValue]] | None,
    parts: Mapping[str, Part],
    lead: RecordId,
    resume: ConversionError | None,
) -> dict[str, dict[str, FieldValue]]:
    """Return the fields of the records that are asked for, by module, in the server's order.

    Args:
        entities: Fields by module.
        parts: The same, each for itself.
        lead: The lead, for errors.
        resume: The failure to go on from: what was asked then is asked again.

    Raises:
        InvalidArgumentError: Nothing is asked for, or what cannot be.
    """
    asked: dict[str, dict[str, FieldValue]] = {}
    if resume is not None:
        if resume.record_id != lead:
            reason = f"the failure to go on from is of the lead {resume.record_id}"
            raise InvalidArgumentError(reason, operation="convertlead", record_id=lead)
        asked = {name: dict(fields) for name, fields in resume.entities.items()}
    for name, part in (*(entities or {}).items(), *parts.items()):
        if part is False:
            asked.pop(name, None)
        elif part is not None:
            asked[name] = {**asked.get(name, {}), **({} if part is True else part)}
    unknown = asked.keys() - set(MODULES)
    if unknown or not asked:
        raise InvalidArgumentError(
            "say what is made of the lead: any of Accounts, Contacts, Potentials"
            + (f"; not {', '.join(sorted(unknown))}" if unknown else ""),
            operation="convertlead",
            record_id=lead,
        )
    if asked.keys() == {"Potentials"}:
        raise InvalidArgumentError(
            "a deal alone is not made of a lead: ask for an organisation or a contact, too (the "
            "open source converts nothing otherwise, and answers with success)",
            operation="convertlead",
            record_id=lead,
        )
    return {name: asked[name] for name in MODULES if name in asked}


def first_stage(deals: Module) -> str | None:
    """Return the sales stage of a new deal: the default, or the first of the picklist.

    Args:
        deals: The description of Potentials.
    """
    stage = deals.fields.get("sales_stage")
    if stage is None:
        return None
    given = stage.default or stage.type.default
    if given:
        return str(given)
    values = stage.type.picklist_values
    return values[0].value if values else None


def name_of(module: str, fields: Mapping[str, FieldValue], lead: Mapping[str, Any]) -> str:
    """Return the name that the new record gets.

    Args:
        module: Its module.
        fields: What is given for it.
        lead: The fields of the lead.
    """
    return str(fields.get(MODULES[module]) or lead.get(_SOURCES[module]) or _UNNAMED)


def part_problems(
    module: Module,
    fields: Mapping[str, FieldValue],
    known: Known,
    lead: Mapping[str, Any] | None,
) -> list[Problem]:
    """Return what would make one part of a conversion fail, or go wrong without a word.

    Args:
        module: The description of the part's module.
        fields: What is given for the new record.
        known: What else is known.
        lead: The lead's fields, where it was read.
    """
    found = [
        Problem(f"{module.name}.{problem.field}", problem.value, problem.reason, problem.remedy)
        for problem in problems_of(module, fields, "revise", known)
    ]
    for name in module.mandatory_fields:
        item = module.fields[name]
        if name not in fields and item.editable and _stays_empty(item, lead):
            reason = "it is mandatory, and nothing in the lead fills it"
            found.append(Problem(f"{module.name}.{name}", None, reason, "give it a value"))
    name = MODULES[module.name]
    if lead is not None and not fields.get(name) and name_of(module.name, fields, lead) == _UNNAMED:
        source = _SOURCES[module.name]
        reason = f"the lead has no {source}, and the name would be {_UNNAMED}"
        found.append(Problem(f"{module.name}.{name}", None, reason, "give it a value"))
    return found


def _stays_empty(item: Field, lead: Mapping[str, Any] | None) -> bool:
    if item.type.name not in _STAY_EMPTY or item.default:
        return False
    if item.name not in _LEADS:
        return True
    return lead is not None and not lead.get(item.name)
