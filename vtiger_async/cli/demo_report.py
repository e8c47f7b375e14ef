"""What the demo did, what it claims of it, and whether the instance's own books agree."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import Factory, define, field, frozen

from vtiger_async.bulk import Report
from vtiger_async.cli.organisations import Organisations
from vtiger_async.editions import Limits
from vtiger_async.quota.snapshot import Quota

__all__ = ["Claim", "Run", "check", "hours", "report", "time_for"]

_SPANS: Final = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}

LABELS: Final = {
    "input": "Input",
    "edition": "Edition",
    "rows": "Rows in the file",
    "duplicates": "Repeated names, skipped",
    "unnamed": "Rows without a name, skipped",
    "existing": "In the CRM already",
    "rejected": "Rejected before a call",
    "failed": "Refused by Vtiger",
    "created": "Created",
    "again_unchanged": "Unchanged, in the same import again",
    "again_calls": "Calls of the same import again",
    "read_back": "Read back",
    "stored_differently": "Stored differently than sent",
    "changed": "Changed",
    "deleted": "Deleted",
    "upserts": "Upserts in the sync",
    "deletes": "Deletes in the sync",
    "calls": "Calls spent",
    "calls_per_row": "Calls per row",
    "refused": "HTTP 429",
    "lost": "Lost",
    "doubled": "Doubled",
    "minute_left": "Left of the minute's quota",
    "hour_left": "Left of the hour's quota",
    "day_left": "Left of the day's quota",
    "instance_seconds": "Time taken, on the instance's clock",
    "real_seconds": "Time taken here, in seconds",
    "least_seconds": "The same on a real instance, at least",
    "binding_window": "The window that binds",
    "claims": "Claims checked against the instance",
}
"""The lines of the report, in order."""


@define
class Run:
    """What the client has seen in one run of the demo.

    Attributes:
        created: The fields sent, by the id of each record that was created.
        existing: Rows whose name was in the CRM already.
        revised: The ids of the records that an import has changed.
        rejected: Rows that cannot be stored as they are; no call was made for them.
        failed: Rows that were refused.
        again: What came of the same import again.
        read: The records read back, in order.
        changed: The ids of the records that were changed.
        deleted: The ids of the records that were deleted.
        upserts: The ids that the sync gave as upserts, in order.
        deletes: The ids that the sync gave as deletes, in order.
        quota: The client's view of the quota at the end.
        seconds: What the run took on the instance's clock.
        real_seconds: What it really took.
    """

    created: dict[str, dict[str, str]] = field(factory=dict[str, "dict[str, str]"])
    existing: int = 0
    revised: list[str] = field(factory=list[str])
    rejected: int = 0
    failed: int = 0
    again: Report = field(factory=Report)
    read: list[Mapping[str, Any]] = field(factory=list["Mapping[str, Any]"])
    changed: list[str] = field(factory=list[str])
    deleted: list[str] = field(factory=list[str])
    upserts: list[str] = field(factory=list[str])
    deletes: list[str] = field(factory=list[str])
    quota: Quota | None = None
    seconds: float = 0.0
    real_seconds: float = 0.0


@frozen
class Claim:
    """One claim of the demo.

    Attributes:
        text: What is claimed.
        faults: What speaks against it; empty where it is true.
    """

    text: str
    faults: tuple[str, ...] = Factory(tuple)


def check(run: Run, books: Mapping[str, Any]) -> tuple[Claim, ...]:
    """Return the demo's claims, each compared with the instance's own books.

    Args:
        run: What the client has seen.
        books: `Sandbox.ledger()`.
    """
    written = {
        operation: [w["id"] for w in books["writes"] if w["operation"] == operation]
        for operation in ("create", "revise", "delete")
    }
    alive = run.created.keys() - set(run.deleted) | set(run.revised)
    calls, windows = sum(books["calls"].values()), books["windows"]
    return (
        _same("every row was created once, and nothing else was", run.created, written["create"]),
        _again(run),
        _same("every created record was read back once", run.created, _ids(run.read)),
        _same(
            "what was to be changed was changed, once",
            [*run.revised, *run.changed],
            written["revise"],
        ),
        _same("what was to be deleted was deleted, once", run.deleted, written["delete"]),
        _same("the sync gave every new and changed record once", alive, run.upserts),
        _same("the sync gave every deleted record once", run.deleted, run.deletes),
        _no_refusal(books),
        _calls(run, calls, books["granted"]),
        _quota(run.quota, windows),
    )


def _ids(records: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(record["id"]) for record in records]


def _same(text: str, expected: Any, found: Sequence[str]) -> Claim:
    """Return the claim that each expected id was found once, and no other."""
    wanted, got = Counter(map(str, expected)), Counter(map(str, found))
    faults = [
        f"{sum(surplus.values())} {what}, as {next(iter(surplus))}"
        for what, surplus in (("missing", wanted - got), ("too many", got - wanted))
        if surplus
    ]
    return Claim(text, tuple(faults))


def _again(run: Run) -> Claim:
    """Return the claim that what is stored as it was sent is not written again."""
    again = run.again
    differing = run.existing + sum(_differs(run, record) for record in run.read)
    expected = len(run.created) + run.existing
    found = again.created + again.unchanged + again.revised
    faults: list[str] = []
    if again.revised > differing:
        faults.append(f"{again.revised} records were changed")
    if found != expected:
        faults.append(f"{found} are there, of {expected}")
    return Claim("the same import again found all records, and changed none", tuple(faults))


def _no_refusal(books: Mapping[str, Any]) -> Claim:
    refused = _refused(books)
    faults = (f"{refused} calls were",) if refused else ()
    return Claim("no call was refused with HTTP 429", faults)


def _refused(books: Mapping[str, Any]) -> int:
    return max(int(books["refused"]), int(books["statuses"].get("429", 0)))


def _calls(run: Run, calls: int, granted: int) -> Claim:
    faults: list[str] = []
    if granted != calls:
        faults.append(f"{calls} came, and {granted} were granted")
    # The client's day rolls: a call leaves its count after 24 hours.
    if run.quota is not None and run.seconds < _SPANS["day"] and run.quota.day.used != calls:
        faults.append(f"{calls} came, and the client counted {run.quota.day.used}")
    return Claim("the client counted the calls that the instance counted", tuple(faults))


def _quota(quota: Quota | None, windows: Mapping[str, Any]) -> Claim:
    uses = () if quota is None else (quota.minute, quota.hour, quota.day)
    faults = [
        f"{use.remaining} in this {use.name}, and {windows[use.name]['left']} are"
        for use in uses
        if use.remaining is not None and use.remaining > windows[use.name]["left"]
    ]
    return Claim("the client takes no more quota for left than is left", tuple(faults))


def report(
    run: Run,
    organisations: Organisations,
    edition: str,
    limits: Limits,
    books: Mapping[str, Any],
    claims: Sequence[Claim],
) -> dict[str, Any]:
    """Return the lines of the report by the names in LABELS.

    Args:
        run: What the client has seen.
        organisations: The input.
        edition: The edition's name.
        limits: Its limits.
        books: `Sandbox.ledger()`.
        claims: The claims, checked.
    """
    calls = sum(books["calls"].values())
    least, window = time_for(calls, limits)
    written = Counter(w["id"] for w in books["writes"] if w["operation"] == "create")
    seen = Counter(_ids(run.read))
    lost = [key for key in run.created if not (written[key] and seen[key])]
    doubled = sum((written - Counter(run.created.keys())).values()) + sum(
        (count - 1) for count in seen.values()
    )
    false = [claim for claim in claims if claim.faults]
    return {
        "input": organisations.source,
        "edition": edition,
        "rows": organisations.total,
        "duplicates": organisations.repeated,
        "unnamed": organisations.unnamed,
        "existing": run.existing,
        "rejected": run.rejected,
        "failed": run.failed,
        "created": len(run.created),
        "again_unchanged": run.again.unchanged,
        "again_calls": run.again.calls,
        "read_back": len(run.read),
        "stored_differently": sum(_differs(run, record) for record in run.read),
        "changed": len(run.changed),
        "deleted": len(run.deleted),
        "upserts": len(run.upserts),
        "deletes": len(run.deletes),
        "calls": calls,
        "calls_per_row": round(calls / max(1, len(run.created)), 3),
        "refused": _refused(books),
        "lost": len(lost),
        "doubled": doubled,
        **{f"{name}_left": books["windows"][name]["left"] for name in _SPANS},
        "instance_seconds": round(run.seconds),
        "real_seconds": round(run.real_seconds, 1),
        "least_seconds": round(least),
        "binding_window": window,
        "claims": f"{len(claims) - len(false)} of {len(claims)} true",
    }


def _differs(run: Run, record: Mapping[str, Any]) -> bool:
    """Return whether a record holds something else than was sent: Vtiger cuts long text."""
    sent = run.created.get(str(record["id"]), {})
    return any(record[name] != value for name, value in sent.items() if name in record)


def time_for(calls: int, limits: Limits) -> tuple[float, str]:
    """Return the seconds that so many calls take at least, and the window that binds.

    It is what the limits alone demand of a client that is safe under sliding windows: the last call
    may leave then. What the network and the server take comes on top, mostly within the waits. The
    window that binds is the one that would demand the most alone; `"none"`, where none does.

    Args:
        calls: How many.
        limits: The limits of the instance.
    """
    known = {n: limit for n in _SPANS if (limit := getattr(limits, n)) is not None}
    past = {name: deque[float](maxlen=limit) for name, limit in known.items()}
    now = 0.0
    for _ in range(calls):
        now = max([now, *(q[0] + _SPANS[n] for n, q in past.items() if len(q) == q.maxlen)])
        for queue in past.values():
            queue.append(now)
    alone = {name: max(0, calls - 1) // limit * _SPANS[name] for name, limit in known.items()}
    binding = max(alone, key=alone.__getitem__, default="none")
    return now, binding if now else "none"


def hours(seconds: float) -> str:
    """Return seconds as hours and minutes, a part of a minute counting as one: `"0:35"`."""
    minutes = -int(-seconds // 60)
    return f"{minutes // 60}:{minutes % 60:02}"
