"""Every error of the package, in one tree.

```
VtigerError                      anything this package raises on purpose
├── ConfigurationError           the client was set up wrongly; no call was spent
├── InvalidArgumentError         an argument cannot be sent; no call was spent (also a ValueError)
│   └── ValidationError          fields do not fit the module; .problems has all of them
├── TransportError               no usable answer came back
│   ├── ConnectError             the request never left: sending it again is safe
│   ├── RequestTimeoutError      no answer in time
│   └── InvalidResponseError     an answer that is not Vtiger's JSON
├── OutcomeUnknownError          a write was sent, and nobody knows whether it happened
│   └── LineItemsError           so ended one that replaces line items; .lines_now has them
├── ApiError                     Vtiger answered, and said no
│   ├── AuthenticationError      wrong user name or access key, or a lost session
│   ├── AccessDeniedError        no permission - or a typo, or no such record
│   ├── RecordNotFoundError      no such user, file or picklist value
│   ├── InvalidIdError           not a record id of that module (also raised before sending)
│   ├── InvalidReferenceError    a reference field points to a record of the wrong module
│   ├── QuerySyntaxError         not VTQL (also raised before sending, with line and column)
│   ├── MandatoryFieldError      a mandatory field is empty; see .field
│   ├── DuplicateRecordError     a unique value exists already
│   ├── LeadAlreadyConvertedError
│   ├── ConversionError          a lead was converted in part; .left_behind has what was made
│   ├── UnsupportedOperationError
│   └── ServerError              the server failed (5xx, or an internal error it admits)
├── SilentChangeError            answered with success, and not done as it was asked
├── RateLimitError               the server answered 429, and waiting would take too long
└── QuotaExhaustedError          the next free call is further away than the caller will wait
```

Each error carries `operation`, `module`, `record_id`, `status`, `code`, `message`, `call_id` and
`attempts` (the failures that came before it in the same call). Errors pickle, and print on one
line. To an ApiError whose code says little, the client adds the likely cause: `message` then holds
both, and `server_message` what Vtiger said.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from vtiger_async.problems import Problem, SilentChange

__all__ = [
    "AccessDeniedError",
    "ApiError",
    "AuthenticationError",
    "ConfigurationError",
    "ConnectError",
    "ConversionError",
    "DuplicateRecordError",
    "InvalidArgumentError",
    "InvalidIdError",
    "InvalidReferenceError",
    "InvalidResponseError",
    "LeadAlreadyConvertedError",
    "LineItemsError",
    "MandatoryFieldError",
    "OutcomeUnknownError",
    "QuerySyntaxError",
    "QuotaExhaustedError",
    "RateLimitError",
    "RecordNotFoundError",
    "RequestTimeoutError",
    "ServerError",
    "SilentChangeError",
    "TransportError",
    "UnsupportedOperationError",
    "ValidationError",
    "VtigerError",
]


def _rebuild(cls: type[VtigerError], state: dict[str, Any]) -> VtigerError:
    error = cls.__new__(cls)
    error.args = (state["message"],)
    error.__dict__.update(state)
    return error


class VtigerError(Exception):
    """The root of every error this package raises on purpose.

    Attributes:
        message: What went wrong, in Vtiger's words where Vtiger said something.
        operation: The operation of the call (`"create"`), if there was one.
        module: The module it was about (`"Contacts"`), if known.
        record_id: The record it was about (`"4x12"`), if known.
        status: The HTTP status, if an answer came.
        code: Vtiger's error code; the integer 0 stands for duplicates, as on the wire.
        call_id: The identifier of the call, as it also stands in the log.
        attempts: The failures of the earlier attempts of the same call, oldest first.
    """

    hint: ClassVar[str] = ""
    _is_an_attempt: ClassVar[bool] = True
    """Whether the error is a failure beside those in `attempts`."""

    def __init__(
        self,
        message: str = "",
        *,
        operation: str | None = None,
        module: str | None = None,
        record_id: str | None = None,
        status: int | None = None,
        code: str | int | None = None,
        call_id: str | None = None,
        attempts: tuple[VtigerError, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.operation = operation
        self.module = module
        self.record_id = record_id
        self.status = status
        self.code = code
        self.call_id = call_id
        self.attempts = attempts

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.__dict__)

    def __str__(self) -> str:
        subject = " ".join(s for s in (self.operation, self.module, self.record_id) if s)
        message = self.message
        if self.code is not None and str(self.code) not in message:
            message = f"{self.code}: {message}" if message else str(self.code)
        facts: list[str] = []
        if self.status is not None:
            facts.append(f"HTTP {self.status}")
        made = len(self.attempts) + self._is_an_attempt
        if made > 1:
            facts.append(f"attempt {made}")
        if self.call_id:
            facts.append(f"call {self.call_id}")
        text = f"{subject}: {message}" if subject else message
        if facts:
            text = f"{text} ({', '.join(facts)})"
        if self.hint:
            text = f"{text.rstrip('.')}. {self.hint}"
        return " ".join(text.split())


class ConfigurationError(VtigerError):
    """The client was set up wrongly: URL, credentials, edition, options, or a second event loop."""


class InvalidArgumentError(VtigerError, ValueError):
    """An argument cannot be sent to Vtiger; found before a call was spent."""


class ValidationError(InvalidArgumentError):
    """Fields do not fit what `describe` says of the module; found before a call was spent.

    Attributes:
        problems: Everything that was found, each with field, value, reason and remedy.
    """

    def __init__(
        self, message: str = "", *, problems: tuple[Problem, ...] = (), **context: Any
    ) -> None:
        super().__init__(message or "; ".join(map(str, problems)), **context)
        self.problems = problems


class TransportError(VtigerError):
    """No usable answer came back.

    Attributes:
        sent: Whether the server may have seen the request: `False` only where that is proven.
    """

    def __init__(self, message: str = "", *, sent: bool = True, **context: Any) -> None:
        super().__init__(message, **context)
        self.sent = sent


class ConnectError(TransportError):
    """The request never left (refused, DNS, TLS, pool): sending it again is safe."""

    def __init__(self, message: str = "", *, sent: bool = False, **context: Any) -> None:
        super().__init__(message, sent=sent, **context)


class RequestTimeoutError(TransportError):
    """No answer came within `timeout`."""


class InvalidResponseError(TransportError):
    """An answer came that is not Vtiger's JSON: an HTML page, an empty or a cut body."""


class OutcomeUnknownError(VtigerError):
    """A write was sent, and its reply was lost: it may or may not have happened.

    The cause (`__cause__`, also the last of `attempts`) says how the reply was lost. Look the
    record up by a value that only it has before you send the write again.
    """

    hint = "It may have happened: look the record up before sending it again"
    _is_an_attempt = False


class LineItemsError(OutcomeUnknownError):
    """A write that replaces line items failed after it was sent: the document is half written.

    Open-source Vtiger 8.4 ends every such write so, with HTTP 500, after it has stored the new
    lines and before it has worked out the totals, which are 0 then (measured). The client has
    looked, and its finding stands here.

    Attributes:
        lines_before: The lines (LineItem) that the record had, where they were read; or None.
        lines_now: The lines that it had after the failure; None where that could not be read.
    """

    def __init__(
        self,
        message: str = "",
        *,
        lines_before: tuple[Any, ...] | None = None,
        lines_now: tuple[Any, ...] | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.lines_before = lines_before
        self.lines_now = lines_now

    @property
    def hint(self) -> str:  # type: ignore[override]  # a class attribute elsewhere, by what was found here
        """What to do about it."""
        if self.lines_now is None:
            return "Retrieve the record: its line items may be others, and its totals 0"
        return "A server that cannot replace line items wants a new document"


class ApiError(VtigerError):
    """Vtiger answered, and said no.

    Attributes:
        cause: What the client knows that explains it, found without a call; empty if nothing.
            `message` ends with it.
    """

    cause: str = ""

    @property
    def server_message(self) -> str:
        """What Vtiger said, without the cause that the client found."""
        return (
            self.message.removesuffix(self.cause).removesuffix(": ") if self.cause else self.message
        )


class AuthenticationError(ApiError):
    """Wrong user name or access key, an inactive user, or a lost session."""

    hint = "Check the user name and the access key (under My Preferences; not the password)"


class AccessDeniedError(ApiError):
    """No permission - or a misspelt module or field, or a record that does not exist.

    Vtiger gives this one code for all of them (measured on Vtiger 8.4).
    """

    @property
    def hint(self) -> str:  # type: ignore[override]  # a class attribute elsewhere, without a cause here
        """What else it may mean, where no cause was found."""
        if self.cause:
            return ""
        return (
            "Vtiger says this also for a misspelt module or field, a field hidden from this user, "
            "and a record that is missing or deleted"
        )


class RecordNotFoundError(ApiError):
    """No such user, file or picklist value."""


class InvalidIdError(ApiError, ValueError):
    """Not a record id (`4x12`), or the id of another module."""


class InvalidReferenceError(ApiError):
    """A reference field points to a record of a module that it does not refer to."""


class QuerySyntaxError(ApiError, ValueError):
    """The text is not VTQL.

    Attributes:
        line: The line of the fault, from 1; None where only the server complained.
        column: The column of the fault, from 1; None where only the server complained.
        source: The text that was refused, if known.
    """

    def __init__(
        self,
        message: str = "",
        *,
        line: int | None = None,
        column: int | None = None,
        source: str | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.line = line
        self.column = column
        self.source = source
        if self.snippet:
            self.add_note(self.snippet)

    @property
    def snippet(self) -> str:
        """The faulty line with a caret under the fault, on two lines; empty where unknown."""
        if self.source is None or self.line is None or self.column is None:
            return ""
        lines = self.source.splitlines() or [""]
        text = lines[min(self.line, len(lines)) - 1].replace("\t", " ")
        return f"{text}\n{' ' * (self.column - 1)}^"


class MandatoryFieldError(ApiError):
    """A mandatory field has no value; Vtiger names one at a time.

    Attributes:
        field: The field that Vtiger named, or None.
    """

    def __init__(self, message: str = "", *, field: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.field = field


class DuplicateRecordError(ApiError):
    """A record with the same unique value exists already (error code 0 on the wire)."""


class LeadAlreadyConvertedError(ApiError):
    """The lead was converted before."""


class ConversionError(ApiError):
    """The conversion of a lead failed half-way: the lead is not converted, records were made.

    `convert_lead(lead_id, resume=error)` takes them back, and converts again.

    Attributes:
        left_behind: The ids of the records that were made, by module. A record that cannot be told
            from another's is not among them: the message says so.
        entities: The parts as they were asked for, by module.
        failure: What the server said, or why its reply was lost.
    """

    hint = "convert_lead(lead_id, resume=error) takes that back and converts again"

    def __init__(
        self,
        message: str = "",
        *,
        left_behind: Mapping[str, str] | None = None,
        entities: Mapping[str, Mapping[str, Any]] | None = None,
        failure: VtigerError | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.left_behind = dict(left_behind or {})
        self.entities = dict(entities or {})
        self.failure = failure


class UnsupportedOperationError(ApiError):
    """The instance does not know this operation, or not for this module."""


class ServerError(ApiError):
    """The server failed: a 5xx answer, or an internal error that it admits with JSON.

    Attributes:
        retry_after: Seconds the server asked to wait (503 with Retry-After), or None.
    """

    def __init__(
        self, message: str = "", *, retry_after: float | None = None, **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after

    @property
    def hint(self) -> str:  # type: ignore[override]  # a class attribute elsewhere, by status here
        """What to do about it."""
        if self.cause:
            return ""
        if self.status == 400:
            return "With HTTP 400 it is mostly the request: a bad literal, or text in a date field"
        if self.status == 200:  # webservice.php has it for every error that it handles
            return "It is mostly the request: a bad literal, or text in a date field"
        return ""


class SilentChangeError(VtigerError):
    """Vtiger answered a write with success, and did something else.

    A client with `strict=True` raises it for a record that was stored other than it was sent;
    `add_related(verify=True)` for a relation that is not there.

    Attributes:
        changes: Every field that was stored other than it was sent.
        record: The record as it is stored now: it was written. None for a relation.
    """

    def __init__(
        self,
        message: str = "",
        *,
        changes: tuple[SilentChange, ...] = (),
        record: Any = None,
        **context: Any,
    ) -> None:
        super().__init__(message or "; ".join(map(str, changes)), **context)
        self.changes = changes
        self.record = record

    @property
    def hint(self) -> str:  # type: ignore[override]  # a class attribute elsewhere, by what was done here
        """What to know before it is sent again."""
        return "" if self.record is None else "The record was written: see .record"


class RateLimitError(VtigerError):
    """The server answered 429, and the wait it asks for is longer than the caller's `max_wait`.

    Attributes:
        retry_after: Seconds until the next call has a chance, or None.
    """

    def __init__(
        self, message: str = "", *, retry_after: float | None = None, **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after


class QuotaExhaustedError(VtigerError):
    """The next free call is further away than the caller is ready to wait; nothing was sent.

    Attributes:
        window: The window that binds: `"minute"`, `"hour"`, `"day"`, or `"in_flight"`.
        resets_at: When the call could be made (aware UTC), ready for an HTTP Retry-After.
        wait: Seconds from the refusal until then.
    """

    def __init__(
        self,
        message: str = "",
        *,
        window: str = "minute",
        resets_at: datetime | None = None,
        wait: float = 0.0,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.window = window
        self.resets_at = resets_at
        self.wait = wait
