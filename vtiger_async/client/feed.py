"""What a sync has to remember: the cursor, and what was given already. Pure, no I/O.

Facts built on (behaviour measured on Vtiger 8.4): the lower bound is strict, times are whole
seconds, a page ends on a whole second; a record written later within a second that was read is
never sent unless that second is asked for again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from datetime import UTC, datetime
from typing import Any

from attrs import define, field

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.models.records import Record
from vtiger_async.types import RecordId, is_list, is_map, whole_number

__all__ = [
    "Cursor",
    "Trail",
    "ids_of",
    "items_of",
    "mark_of_delete",
    "mark_of_record",
    "modified_at",
    "seconds_of",
    "start_of",
]

_WHICH, _MARK = 3, 8
"""Bytes of a mark: three for the record, five for its content, a chance in a trillion."""
_VERSION = "1"


@define
class Cursor:
    """A position in a module's stream of changes, with what was given around it.

    Attributes:
        time: Everything changed before this moment (Unix seconds) was given; what was changed at it
            or later was given where it is marked.
        marks: Marks of changes given at `time` or later, with the time of each; of a record only
            the last, since it may change back within a second.
    """

    time: int
    marks: dict[bytes, int] = field(factory=dict[bytes, int])

    def text(self) -> str:
        """Return the cursor as a short string, to be stored and given as `since=`."""
        by_time: dict[int, bytes] = {}
        for mark, time in self.marks.items():
            by_time[time] = by_time.get(time, b"") + mark
        parts = [_VERSION, str(self.time)]
        for time, marks in sorted(by_time.items()):
            encoded = base64.urlsafe_b64encode(marks).decode("ascii").rstrip("=")
            parts.append(f"{time - self.time}.{encoded}")
        return "~".join(parts)

    @classmethod
    def read(cls, text: str) -> Cursor:
        """Return the cursor of a stored string.

        Raises:
            InvalidArgumentError: The string is no cursor.
        """
        version, _, rest = text.partition("~")
        first, *groups = rest.split("~")
        try:
            cursor = cls(int(first if version == _VERSION else ""))
            for group in groups:
                step, _, encoded = group.partition(".")
                padded = encoded + "=" * (-len(encoded) % 4)
                raw = base64.b64decode(padded, altchars=b"-_", validate=True)
                time = cursor.time + int(step)
                cursor.marks.update({raw[i : i + _MARK]: time for i in range(0, len(raw), _MARK)})
        except (ValueError, binascii.Error):
            raise InvalidArgumentError(
                f"since: {text[:40]!r} is no cursor: give one that a change carried, a datetime, "
                "Unix seconds, or None for everything",
                operation="sync",
            ) from None
        return cursor

    def advanced(self, time: int) -> Cursor:
        """Return the cursor moved on to a time, without the marks that are not needed any more."""
        time = max(time, self.time)
        return Cursor(time, {mark: at for mark, at in self.marks.items() if at >= time})


@define
class Trail:
    """The marks of one page's changes, in the order in which they are given.

    A cursor is only written where somebody asks for it: most changes are never the last.

    Attributes:
        start: The cursor before the page.
        steps: For each change its mark, its time, and the time a reader may go on from after it.
    """

    start: Cursor
    steps: list[tuple[bytes, int, int]] = field(factory=list["tuple[bytes, int, int]"])

    def after(self, count: int) -> Cursor:
        """Return the cursor after so many of the page's changes."""
        if count == 0:
            return self.start
        fresh = {mark: time for mark, time, _ in self.steps[:count]}
        changed = {mark[:_WHICH] for mark in fresh}
        old = {m: at for m, at in self.start.marks.items() if m[:_WHICH] not in changed}
        return Cursor(self.start.time, {**old, **fresh}).advanced(self.steps[count - 1][2])


def start_of(since: object) -> Cursor:
    """Return the cursor for what a user gives as `since`.

    A datetime or a number means: changes at that second or later.

    Raises:
        InvalidArgumentError: It is none of None, a datetime with a zone, Unix seconds, a cursor.
    """
    if since is None:
        return Cursor(0)
    if isinstance(since, str):
        return Cursor.read(since)
    if isinstance(since, datetime):
        if since.utcoffset() is None:
            raise InvalidArgumentError(
                f"since: the datetime {since.isoformat()} has no zone: say which time is meant, "
                "as in datetime(2026, 1, 31, tzinfo=UTC)",
                operation="sync",
            )
        since = since.timestamp()
    if isinstance(since, bool) or not isinstance(since, int | float) or math.isnan(since):
        raise InvalidArgumentError(
            f"since: a {type(since).__name__} is no moment: give a cursor, a datetime with a zone, "
            "Unix seconds, or None for everything",
            operation="sync",
        )
    return Cursor(max(0, int(min(since, 2.0**40))))


def mark_of_record(record: Record) -> bytes:
    """Return a mark of a record in its present state: its id, modified time and content."""
    content = json.dumps(record.fields, sort_keys=True, separators=(",", ":"), default=str)
    return _mark(record.id, content)


def mark_of_delete(record_id: str) -> bytes:
    """Return a mark of a deletion."""
    return _mark(record_id, "")


def _mark(record_id: str, content: str) -> bytes:
    which = hashlib.blake2b(record_id.encode(), digest_size=_WHICH)
    what = hashlib.blake2b(f"{record_id} {content}".encode(), digest_size=_MARK - _WHICH)
    return which.digest() + what.digest()


def modified_at(record: Record) -> int | None:
    """Return when the record was changed, in Unix seconds; None where it does not say."""
    try:
        moment = datetime.strptime(str(record.get("modifiedtime")), "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return None
    return int(moment.replace(tzinfo=UTC).timestamp())


def ids_of(deleted: object) -> list[RecordId]:
    """Return the ids of a page's deletes, in order."""
    return sorted(RecordId(item) for item in items_of(deleted))


def items_of(value: object) -> list[Any]:
    """Return a list; PHP sends one with gaps as a map."""
    if is_map(value):
        return list(value.values())
    return value if is_list(value) else []


def seconds_of(value: object, since: int) -> int:
    """Return the page's last time; what it was asked with, where the server sends nonsense."""
    number = whole_number(value)
    return since if number is None else number
