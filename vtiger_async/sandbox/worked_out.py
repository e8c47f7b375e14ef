"""What an open source works out of a record itself, whatever was written (measured on 8.4)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from vtiger_async.sandbox.schema import Module
from vtiger_async.sandbox.stored_form import number_of

__all__ = ["worked_out"]

_CENT = Decimal("0.01")


def worked_out(
    module: Module, before: dict[str, str | None] | None, values: dict[str, str | None]
) -> dict[str, str | None]:
    """Return the values that a write brings about besides its own.

    Args:
        module: The module.
        before: The record as it is stored; None for a new one.
        values: The stored form of what is written.
    """
    whole = (before or {}) | values
    if module.name in ("Calendar", "Events"):
        return _duration(whole) | _reminder(module, values, is_new=before is None)
    if module.name == "Potentials" and whole.get("amount") and whole.get("probability"):
        share = number_of(whole["amount"] or "") * number_of(whole["probability"] or "") / 100
        return {"forecast_amount": f"{share.quantize(_CENT, ROUND_HALF_UP)}000000"}
    if module.name == "Documents":
        return _place(whole)
    return {}


def _duration(whole: dict[str, str | None]) -> dict[str, str | None]:
    """Return how long an activity lasts, in hours and minutes; nothing where it has no days."""
    try:
        start = datetime.fromisoformat(f"{whole.get('date_start')} {whole.get('time_start')}")
        if whole.get("time_end"):
            end = datetime.fromisoformat(f"{whole.get('due_date')} {whole['time_end']}")
        else:
            end = datetime.fromisoformat(f"{whole.get('due_date')}") + timedelta(days=1)
    except ValueError:
        return {}
    minutes = max(int((end - start).total_seconds()) // 60, 0)
    return {"duration_hours": str(minutes // 60), "duration_minutes": str(minutes % 60)}


def _reminder(
    module: Module, values: dict[str, str | None], *, is_new: bool
) -> dict[str, str | None]:
    """Return when to remind: seconds are written and minutes kept, one at least.

    A change that does not say clears it, and a task has none.
    """
    seconds = int(number_of(values.get("reminder_time") or ""))
    if module.name == "Calendar":
        return {"reminder_time": None}
    if seconds:
        return {"reminder_time": str(max(seconds // 60, 1))}
    return {"reminder_time": "0" if is_new else ""}


def _place(whole: dict[str, str | None]) -> dict[str, str | None]:
    """Return where a document's file is: inside, at an address, or nowhere."""
    place, name = whole.get("filelocationtype"), whole.get("filename")
    if place == "E" and name and "://" not in name:
        return {"filename": f"http://{name}"}
    return {} if place in ("I", "E") else {"filelocationtype": "", "filename": None}
