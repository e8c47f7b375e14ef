"""What a write answered against what it sent: which values were silently stored as others.

The answer to create, update and revise is the record as it is stored now. Some forms differ from
those sent and mean the same (measured on Vtiger 8.4): decimals come with eight places, HTML
entities decoded, spaces at the end cut, moments in UTC, booleans as "0" and "1", the id of an owner
with its prefix, the addressees of an e-mail as a list in JSON, what is empty as "", null, zero or a
date of zeros, and no reminder as "". Anything else is a change.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from vtiger_async.models.records import without_secrets
from vtiger_async.problems import SilentChange
from vtiger_async.types import ID_FORM, FieldValue, is_list
from vtiger_async.values import NUMBER_FORM, multi_picklist_values

__all__ = ["silent_changes"]

_REMINDER = "reminder_time"  # minutes before an event
_BARE = {"_module", "id", "label"}
_BOOLEANS = {"1": True, "on": True, "0": False, "off": False}
_UNSET = re.compile(r"(?:0+\.?0*|0000-00-00(?: 00:00:00)?)?", re.ASCII)
_HOUR = re.compile(r"\d\d:\d\d", re.ASCII)
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)
_QUARTER, _FARTHEST = 15 * 60, 14 * 3600
"""Seconds: zones differ by whole quarters of an hour, and by at most 14 hours from UTC."""
_CLOSE = 1e-12
"""A float carries digits that nobody wrote: 0.1 + 0.2 is stored as 0.30000000."""


def silent_changes(
    given: Mapping[str, FieldValue], sent: Mapping[str, Any], stored: Mapping[str, Any]
) -> tuple[SilentChange, ...]:
    """Return the fields that are stored other than they were sent, in the order of the element.

    Line items are compared by their place. The `productid` that goes with them is not, nor are
    passwords.

    Args:
        given: The Python values by field name.
        sent: The element as it went out.
        stored: The record that came back.
    """
    if stored.keys() <= _BARE:
        return ()  # an id and a name: this server does not say what it stored
    # The product of a document is wanted, and belongs to its lines: no answer to a write has it.
    has_lines = "LineItems" in sent or "hdnGrandTotal" in stored
    left_out = {"LineItems", "productid"} if has_lines else set[str]()
    changes: list[SilentChange] = []
    for name, value in without_secrets(sent).items():
        if name == "LineItems" and is_list(value):
            from vtiger_async.models.lines import line_changes  # few writes have any

            changes.extend(line_changes(value, stored.get(name), _is_same_as_sent))
        if name in left_out:
            continue
        if name not in stored:
            changes.append(SilentChange(name, value, None, is_ignored=True))
        elif name == _REMINDER and value == "0" and not stored[name]:
            continue
        elif not _is_same(given.get(name, value), value, stored[name]):
            changes.append(SilentChange(name, value, stored[name]))
    return tuple(changes)


def _is_same_as_sent(sent: Any, stored: Any) -> bool:
    return _is_same(sent, sent, stored)


def _is_same(given: FieldValue, sent: Any, stored: Any) -> bool:
    if sent == stored:
        return True
    if isinstance(stored, list | dict) or not isinstance(sent, str | None):
        return not sent and not stored
    before = (sent or "").strip()
    # Some inventory answers mix in numbers and booleans.
    if isinstance(stored, bool):
        stored = int(stored)
    after = "" if stored is None else str(stored).strip()
    if not before:
        return _UNSET.fullmatch(after) is not None
    if stored is None:
        return False
    return (
        before == after
        or html.unescape(before) == html.unescape(after)
        or _is_masked(after)
        or _is_same_boolean(before, after)
        or _is_same_number(given, before, after)
        or _is_same_id(before, after)
        or _is_same_moment(given, before, after)
        or _is_same_list(before, after)
        or (" |##| " in before and multi_picklist_values(before) == multi_picklist_values(after))
    )


def _is_same_list(before: str, after: str) -> bool:
    # The addressees of an e-mail are sent with commas between them, and stored as a list in JSON.
    if after[:1] != "[":
        return False
    try:
        items: Any = json.loads(after)
    except ValueError:
        return False
    return [str(item).strip() for item in items] == [item.strip() for item in before.split(",")]


def _is_masked(after: str) -> bool:
    # A sensitive field: what is stored is not shown, so nothing can be said.
    return after != "" and not after.strip("*")


def _is_same_boolean(before: str, after: str) -> bool:
    truth = _BOOLEANS.get(before)
    return truth is not None and truth is _BOOLEANS.get(after)


def _is_same_number(given: FieldValue, before: str, after: str) -> bool:
    if NUMBER_FORM.fullmatch(before) is None or NUMBER_FORM.fullmatch(after) is None:
        return False
    if isinstance(given, float):
        return math.isclose(float(before), float(after), rel_tol=_CLOSE)
    if isinstance(given, str) and before.lstrip("-")[:1] in "+0" and "." not in after:
        return False  # "007" or "+49170" in a text field: the digits that were cut mattered
    return Decimal(before) == Decimal(after)


def _is_same_id(before: str, after: str) -> bool:
    # An owner may be sent without its prefix.
    return ID_FORM.fullmatch(after) is not None and after.partition("x")[2] == before


def _is_same_moment(given: FieldValue, before: str, after: str) -> bool:
    if _HOUR.fullmatch(before) or _HOUR.fullmatch(after):
        return f"{before}:00" == after or before == f"{after}:00"
    found = _MOMENT.fullmatch(before)
    if found is None or _MOMENT.fullmatch(after) is None:
        return False
    try:
        first, second = (_utc(text) for text in (before, after))
    except ValueError:
        return False
    apart = abs((first - second).total_seconds())
    if not isinstance(given, str) or found[1]:
        return apart < 1
    # Text without a zone is read in the user's or the server's.
    return apart <= _FARTHEST and apart % _QUARTER == 0


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
