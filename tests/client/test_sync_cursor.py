"""The cursor of a sync: its text, and the marks that tell states of a record apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sync_server import START

from vtiger_async import (
    Record,
)
from vtiger_async.client.feed import Cursor, mark_of_delete, mark_of_record, modified_at


def test_a_cursor_reads_back_what_it_wrote() -> None:
    """The text of a cursor holds its time and every mark with its time."""
    cursor = Cursor(START, {b"abcdefgh": START, b"ijklmnop": START + 3, b"qrstuvwx": START})
    assert Cursor.read(cursor.text()) == cursor
    assert len(Cursor(START).text()) < 15


TIMES = st.integers(0, 2**33)


@given(st.dictionaries(st.binary(min_size=8, max_size=8), TIMES), TIMES)
def test_any_cursor_survives_its_text(marks: dict[bytes, int], time: int) -> None:
    """Whatever marks it holds, the text of a cursor gives it back."""
    assert Cursor.read(Cursor(time, marks).text()) == Cursor(time, marks)


def test_marks_tell_states_apart() -> None:
    """Two states of a record, and its deletion, have different marks; the same state the same."""
    one = Record({"id": "4x1", "lastname": "A"})
    same = Record({"lastname": "A", "id": "4x1"})
    other = Record({"id": "4x1", "lastname": "B"})
    marks = {mark_of_record(record) for record in (one, same, other)} | {mark_of_delete("4x1")}
    assert len(marks) == 3
    assert modified_at(Record({"modifiedtime": "2026-09-21 14:13:20"})) == START
