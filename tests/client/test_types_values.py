"""The small values: record ids, service names, and Python values as Vtiger stores them."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtiger_async.errors import InvalidArgumentError, InvalidIdError
from vtiger_async.types import RecordId, ServiceName, is_list, is_map
from vtiger_async.values import scalar_text

pairs = st.tuples(st.integers(0, 10**10 - 1), st.integers(0, 10**19 - 1))


class TestRecordId:
    """`RecordId`."""

    @given(pairs)
    def test_it_is_the_text_that_it_was_made_of(self, pair: tuple[int, int]) -> None:
        """Any NxM is accepted, and its two parts are told."""
        text = f"{pair[0]}x{pair[1]}"
        rid = RecordId(text)
        assert rid == text
        assert hash(rid) == hash(text)
        assert (int(rid.prefix), rid.number) == pair
        assert RecordId(rid) is rid

    @given(st.lists(pairs))
    def test_it_sorts_by_prefix_and_number(self, found: list[tuple[int, int]]) -> None:
        """Ids sort as the server sorts them: by number, not letter by letter."""
        ids = [RecordId(f"{prefix}x{number}") for prefix, number in found]
        assert sorted(ids) == [RecordId(f"{prefix}x{number}") for prefix, number in sorted(found)]

    @given(pairs, pairs)
    def test_its_comparisons_agree(self, one: tuple[int, int], two: tuple[int, int]) -> None:
        """The six comparisons of two ids say the same of them."""
        a, b = RecordId(f"{one[0]}x{one[1]}"), RecordId(f"{two[0]}x{two[1]}")
        assert (a < b, a <= b, a > b, a >= b) == (one < two, one <= two, one > two, one >= two)
        assert (a == b) == (one == two)

    def test_plain_text_is_compared_as_text(self) -> None:
        """Against a plain string it is a string: nothing is guessed."""
        rid = RecordId("4x9")
        assert rid > "4x10"
        assert rid >= "4x10"
        assert not rid < "4x10"
        assert not rid <= "4x10"

    @pytest.mark.parametrize(
        "bad",
        [
            "", "42", "abc", "12X5", "12x", "x5", "12x5abc", " 12x5", "12x5 ", "12x5\n", "12x5x9",
            "-1x5", "1.0x5", "\u0664x\u0661", "12x5'", "1" * 11 + "x1", "1x" + "1" * 20,
        ],
    )  # fmt: skip
    def test_other_text_is_refused(self, bad: str) -> None:
        """What Vtiger answers with a misleading code, or wrongly accepts, is never sent."""
        with pytest.raises(InvalidIdError, match=r"is not a record id: the form is NxM"):
            RecordId(bad)

    @pytest.mark.parametrize("bad", [12, None, b"4x12", ["4x12"]])
    def test_other_types_are_refused(self, bad: object) -> None:
        """An id is text; a bare number would be another instance's habit."""
        with pytest.raises(InvalidIdError):
            RecordId(bad)

    def test_a_long_text_is_cut_in_the_message(self) -> None:
        """The error shows the beginning of what was given, not a page of it."""
        with pytest.raises(InvalidIdError) as caught:
            RecordId("z" * 5000)
        assert len(str(caught.value)) < 250

    def test_it_survives_json_pickle_and_copy(self) -> None:
        """It can be stored and sent as the string it is."""
        rid = RecordId("4x12")
        assert json.dumps(rid) == '"4x12"'
        for twin in (pickle.loads(pickle.dumps(rid)), copy.copy(rid), copy.deepcopy(rid)):
            assert type(twin) is RecordId
            assert twin == rid
        assert repr(rid) == "RecordId('4x12')"
        assert str(rid) == f"{rid}" == "4x12"


class TestServiceName:
    """`ServiceName`."""

    def test_it_has_the_97_names_of_the_manual(self) -> None:
        """Each name is its own text, as it stands in the manual."""
        assert len(ServiceName) == 97
        assert all(name == member.value for name, member in ServiceName.__members__.items())
        assert f"{ServiceName.INBOX_LIMIT}" == "INBOX_LIMIT"
        assert ServiceName("MACROS_SCRIPT_DAILY_RUN_LIMIT") is (
            ServiceName.MACROS_SCRIPT_DAILY_RUN_LIMIT
        )


def test_json_values_are_told_apart() -> None:
    """Objects and arrays of decoded JSON are recognised."""
    assert [is_map({}), is_map([]), is_list([]), is_list("")] == [True, False, True, False]


class Color(StrEnum):
    """A value of a program."""

    RED = "Red"


class Level(IntEnum):
    """A number of a program."""

    HIGH = 3


class OddFloat(float):
    """A float with a repr of its own, as numpy's is."""

    def __repr__(self) -> str:
        return f"odd({float(self)})"


class TestScalarText:
    """`scalar_text`."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("plain", "plain"),
            ("", ""),
            ("Ünï 日本 😀", "Ünï 日本 😀"),
            (RecordId("4x12"), "4x12"),
            (Color.RED, "Red"),
            (True, "1"),
            (False, "0"),
            (42, "42"),
            (-(10**30), "-" + "1" + "0" * 30),
            (Level.HIGH, "3"),
            (1.5, "1.5"),
            (1e22, "10000000000000000000000"),
            (1e-7, "0.0000001"),
            (OddFloat(2.5), "2.5"),
            (Decimal("12.50"), "12.50"),
            (Decimal("1E+2"), "100"),
            (Decimal("-0.000001"), "-0.000001"),
            (date(2026, 1, 31), "2026-01-31"),
            (datetime(2026, 1, 31, 9, 5, 7, 999999, tzinfo=UTC), "2026-01-31 09:05:07"),
            (datetime(2026, 7, 1, 0, 30, tzinfo=ZoneInfo("Asia/Tokyo")), "2026-06-30 15:30:00"),
            (datetime(999, 1, 1, tzinfo=UTC), "0999-01-01 00:00:00"),
            (time(9, 5, 7, 123), "09:05:07"),
            (time(9, 5, tzinfo=UTC), "09:05:00"),
        ],
    )
    def test_each_kind_has_one_text(self, value: object, text: str) -> None:
        """A value becomes the text that Vtiger stores for it, and a plain str."""
        found = scalar_text(value, "Contacts.x")
        assert found == text
        assert type(found) is str

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (float("nan"), "not a number that Vtiger can store"),
            (float("inf"), "not a number that Vtiger can store"),
            (Decimal("NaN"), "not a number that Vtiger can store"),
            (Decimal("sNaN"), "not a number that Vtiger can store"),
            (Decimal("-Infinity"), "not a number that Vtiger can store"),
            (Decimal("1E+999999999"), "not a number that Vtiger can store"),
            (Decimal("1E-999999999"), "not a number that Vtiger can store"),
            (datetime(2026, 1, 31, 9, 0), "has no zone: Vtiger stores UTC"),
            (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))), "outside of the years"),
            (time(9, 0, tzinfo=timezone(timedelta(hours=2))), "has a zone, and without a date"),
            ("bad \ud800", "lone surrogate"),
            (b"bytes", "a bytes cannot be stored"),
            (None, "a NoneType cannot be stored"),
            (object(), "a object cannot be stored"),
            ({1}, "a set cannot be stored"),
        ],
    )
    def test_what_has_no_text_is_refused_with_the_field(self, value: object, reason: str) -> None:
        """A value that would be stored wrongly is refused; the error names the field."""
        with pytest.raises(InvalidArgumentError, match=reason) as caught:
            scalar_text(value, "Contacts.x")
        assert str(caught.value).startswith("Contacts.x: ")

    @given(st.floats(allow_nan=False, allow_infinity=False) | st.decimals(-(10**20), 10**20))
    def test_numbers_never_have_an_exponent(self, value: float | Decimal) -> None:
        """Any number is written out, and reads back as the same number."""
        text = scalar_text(value, "x")
        assert set(text) <= set("-.0123456789")
        assert type(value)(text) == value

    @given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.timezones()))
    def test_datetimes_are_written_in_utc(self, value: datetime) -> None:
        """A moment is written as its second in UTC, whatever zone it was given in."""
        whole = datetime.fromisoformat(scalar_text(value, "x")).replace(tzinfo=UTC)
        assert timedelta(0) <= value.astimezone(UTC) - whole < timedelta(seconds=1)
