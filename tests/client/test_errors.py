"""The errors: their tree, what they carry, and how they read."""

from __future__ import annotations

import copy
import pickle
import re
import traceback
from datetime import UTC, datetime

import pytest

from vtiger_async import errors
from vtiger_async.errors import (
    AccessDeniedError,
    ApiError,
    AuthenticationError,
    ConnectError,
    InvalidArgumentError,
    InvalidIdError,
    InvalidResponseError,
    MandatoryFieldError,
    OutcomeUnknownError,
    QuerySyntaxError,
    QuotaExhaustedError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    TransportError,
    VtigerError,
)

ALL = [getattr(errors, name) for name in errors.__all__]
CONTEXT = {
    "operation": "create",
    "module": "Contacts",
    "record_id": "4x12",
    "status": 400,
    "code": "SOME_CODE",
    "call_id": "ab12-7",
}


def drawn_tree() -> dict[str, str]:
    """Return the parent of each class that the module's docstring draws."""
    parents: dict[str, str] = {}
    above = {-1: "Exception"}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│├└─ ]*)([A-Z]\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4
            parents[match[2]] = above[depth - 1]
            above[depth] = match[2]
    return parents


class TestTree:
    """The classes."""

    def test_the_docstring_draws_the_tree_as_it_is(self) -> None:
        """Each public class stands in the drawing, under the class that it derives from."""
        assert drawn_tree() == {kind.__name__: kind.__bases__[0].__name__ for kind in ALL}

    @pytest.mark.parametrize(
        "kind", [InvalidArgumentError, InvalidIdError, QuerySyntaxError], ids=lambda k: k.__name__
    )
    def test_what_is_refused_before_sending_is_a_value_error(self, kind: type[VtigerError]) -> None:
        """A bad argument is caught by `except ValueError` as well."""
        assert issubclass(kind, ValueError)
        with pytest.raises(ValueError, match="no good"):
            raise kind("no good")


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
class TestEveryError:
    """What holds for each class."""

    def test_it_carries_the_context_of_its_call(self, kind: type[VtigerError]) -> None:
        """Operation, module, record, status, code, message, call and earlier failures are there."""
        earlier = ConnectError("refused")
        error = kind("no", **CONTEXT, attempts=(earlier,))
        found = {name: getattr(error, name) for name in CONTEXT}
        assert found == CONTEXT
        assert (error.message, error.attempts, error.args) == ("no", (earlier,), ("no",))

    def test_it_can_be_made_without_anything(self, kind: type[VtigerError]) -> None:
        """Every attribute has a default."""
        error = kind()
        assert (error.operation, error.status, error.attempts) == (None, None, ())
        assert isinstance(str(error), str)

    def test_it_prints_on_one_line(self, kind: type[VtigerError]) -> None:
        """Whatever the server wrote, the text has one line, with the operation and the call."""
        error = kind("a\nb\r\n  c\u2028d", **{**CONTEXT, "code": "X\nY", "operation": "o\np"})
        text = str(error)
        assert len(text.splitlines()) == 1
        assert "o p Contacts 4x12: X Y: a b c d (HTTP 400, call ab12-7)" in text

    def test_it_pickles_and_copies(self, kind: type[VtigerError]) -> None:
        """A process pool or a queue gives back the same error."""
        error = kind("no", **CONTEXT, attempts=(ConnectError("refused", call_id="x"),))
        for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert type(twin) is kind
            assert str(twin) == str(error)
            assert twin.args == error.args
            assert {k: v for k, v in vars(twin).items() if k != "attempts"} == {
                k: v for k, v in vars(error).items() if k != "attempts"
            }
            assert [str(e) for e in twin.attempts] == ["refused (call x)"]


@pytest.mark.parametrize(
    ("error", "own"),
    [
        (TransportError("x", sent=False), {"sent": False}),
        (ConnectError("x"), {"sent": False}),
        (RequestTimeoutError("x"), {"sent": True}),
        (MandatoryFieldError("x", field="lastname"), {"field": "lastname"}),
        (
            QuerySyntaxError("x", line=2, column=3, source="a\nbcd"),
            {"line": 2, "column": 3, "source": "a\nbcd", "snippet": "bcd\n  ^"},
        ),
        (ServerError("x", retry_after=3.5), {"retry_after": 3.5}),
        (RateLimitError("x", retry_after=7.0), {"retry_after": 7.0}),
        (
            QuotaExhaustedError(
                "x", window="hour", resets_at=datetime(2026, 1, 5, tzinfo=UTC), wait=9.0
            ),
            {"window": "hour", "resets_at": datetime(2026, 1, 5, tzinfo=UTC), "wait": 9.0},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, VtigerError) else "",
)
def test_own_attributes_survive_pickling(error: VtigerError, own: dict[str, object]) -> None:
    """What a class adds of its own is there, before and after pickling."""
    twin = pickle.loads(pickle.dumps(error))
    for one in (error, twin):
        assert {name: getattr(one, name) for name in own} == own
    assert getattr(twin, "__notes__", None) == getattr(error, "__notes__", None)


class TestText:
    """How an error reads."""

    def test_the_code_is_not_repeated(self) -> None:
        """A code that the message says already is not said twice."""
        assert str(ApiError("CODE is it", code="CODE")) == "CODE is it"
        assert str(ApiError("no", code="CODE")) == "CODE: no"
        assert str(ApiError(code="CODE")) == "CODE"

    def test_the_integer_code_of_a_duplicate_is_shown(self) -> None:
        """The code 0 is a code and not the absence of one."""
        assert str(ApiError("Duplicate(s) detected!", code=0)) == "0: Duplicate(s) detected!"

    def test_the_number_of_the_attempt_is_told(self) -> None:
        """An error after two earlier failures is the third attempt's."""
        earlier = (ConnectError("a"), ConnectError("b"))
        assert str(VtigerError("no", attempts=earlier)) == "no (attempt 3)"

    def test_a_lost_reply_is_the_last_attempt_and_not_one_more(self) -> None:
        """A write that was sent once, and whose reply was lost, is not said to be sent twice."""
        lost = InvalidResponseError("cut")
        assert str(OutcomeUnknownError("lost", attempts=(lost,))).startswith("lost. ")
        again = OutcomeUnknownError("lost", attempts=(ConnectError("a"), lost))
        assert str(again).startswith("lost (attempt 2). ")

    @pytest.mark.parametrize(
        ("error", "advice"),
        [
            (AccessDeniedError("denied."), "denied. Vtiger says this also for a misspelt module"),
            (AuthenticationError("no"), "no. Check the user name and the access key"),
            (OutcomeUnknownError("lost"), "lost. It may have happened: look the record up"),
            (ServerError("x", status=400), "x (HTTP 400). With HTTP 400 it is mostly the request"),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, VtigerError) else "",
    )
    def test_misleading_answers_come_with_advice(self, error: VtigerError, advice: str) -> None:
        """Where Vtiger's own text misleads, the error says what to do."""
        assert str(error).startswith(advice)

    def test_a_server_that_failed_needs_no_advice(self) -> None:
        """A 5xx is the server's fault, and nothing is said about the request."""
        assert str(ServerError("down", status=502)) == "down (HTTP 502)"

    def test_a_syntax_error_shows_the_place_in_its_traceback(self) -> None:
        """The traceback ends with the faulty line and a caret; the text itself stays one line."""
        error = QuerySyntaxError("no", line=1, column=5, source="a\tb <> c")
        assert error.snippet == "a b <> c\n    ^"
        shown = "".join(traceback.format_exception(error))
        assert shown.endswith("no\na b <> c\n    ^\n")

    def test_a_syntax_error_of_the_server_has_no_place(self) -> None:
        """The server names no line: there is no snippet then."""
        assert QuerySyntaxError("Syntax Error").snippet == ""

    @pytest.mark.parametrize(("source", "line"), [("", 1), ("abc", 7)])
    def test_the_place_may_be_the_end_of_the_text(self, source: str, line: int) -> None:
        """The end of a text, or an empty one, has a snippet too."""
        error = QuerySyntaxError("no", line=line, column=1, source=source)
        assert error.snippet == f"{source}\n^"
