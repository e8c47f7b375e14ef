"""From the wire to Python: the envelope, and the error it may hold.

Bodies to survive (behaviour measured on Vtiger 8.4): an empty one, an HTML page, PHP warnings
before the JSON, a cut body, nested success, an integer error code, HTTP 200 for a failure.
"""

from __future__ import annotations

import json
import re
from typing import Any

from attrs import frozen

from vtiger_async import errors
from vtiger_async.errors import ApiError, InvalidResponseError, VtigerError
from vtiger_async.types import is_map

__all__ = ["Answer", "decode", "error_of"]

_CODES: dict[str, type[ApiError]] = {
    "ACCESSKEY_UNDEFINED": errors.AuthenticationError,
    "ACCESS_DENIED": errors.AccessDeniedError,
    "AUTHENTICATION_FAILURE": errors.AuthenticationError,
    "AUTHENTICATION_REQUIRED": errors.AuthenticationError,
    "DATABASE_QUERY_ERROR": errors.ServerError,
    "DUPLICATE": errors.DuplicateRecordError,
    "0": errors.DuplicateRecordError,
    "INTERNAL_SERVER_ERROR": errors.ServerError,
    "INVALID_AUTH_TOKEN": errors.AuthenticationError,
    "INVALID_ID_ATTRIBUTE": errors.InvalidIdError,
    "INVALID_SESSIONID": errors.AuthenticationError,
    "INVALID_USER_CREDENTIALS": errors.AuthenticationError,
    "LEAD_ALREADY_CONVERTED": errors.LeadAlreadyConvertedError,
    "MANDATORY_FIELDS_MISSING": errors.MandatoryFieldError,
    "OPERATION_NOT_SUPPORTED": errors.UnsupportedOperationError,
    "QUERY_SYNTAX_ERROR": errors.QuerySyntaxError,
    "RECORD_NOT_FOUND": errors.RecordNotFoundError,
    "REFERENCE_INVALID": errors.InvalidReferenceError,
    "SESSION_EXPIRED": errors.AuthenticationError,
    "SESSION_LEFT_IDLE": errors.AuthenticationError,
    "UNKNOWN_OPERATION": errors.UnsupportedOperationError,
}
_STATUSES: dict[int, type[ApiError]] = {
    401: errors.AuthenticationError,
    403: errors.AccessDeniedError,
    404: errors.UnsupportedOperationError,
}
# "lastname does not have a value", "sales_stage does not have a value : Potentials"
_MANDATORY = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*) does not have a value")
_STARTS_OF_JSON = re.compile(rb'\{\s*"(?:success|result|error)"')


@frozen
class Answer:
    """One HTTP answer, without any type of the HTTP library.

    Attributes:
        status: The HTTP status.
        reason: The reason phrase; Vtiger repeats its message there (HTTP/2 has none).
        headers: Lower-case names and values.
        body: The bytes after content decoding.
    """

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


def decode(answer: Answer, *, lenient: bool = False) -> Any:
    """Return the `result` of an answer.

    Args:
        answer: The answer.
        lenient: Also take JSON that is not Vtiger's envelope, as API Designer endpoints send it.

    Raises:
        ApiError: Vtiger said no, in the class that fits its code.
        InvalidResponseError: The body is not Vtiger's JSON.
    """
    envelope: Any = _parse(answer.body, lenient=lenient)
    if is_map(envelope) and "success" in envelope:
        if envelope["success"] is True and answer.status < 400:
            return _unwrapped(envelope.get("result"), answer)
        raise error_of(envelope.get("error"), answer)
    if answer.status >= 400:
        raise error_of(None, answer)
    if lenient and envelope is not None:
        return envelope
    raise InvalidResponseError(_describe(answer), status=answer.status)


def _parse(body: bytes, *, lenient: bool) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        pass
    # PHP prints its warnings before the JSON; the first thing that looks like an envelope is it.
    for match in _STARTS_OF_JSON.finditer(body):
        text = body[match.start() :].decode("utf-8", "replace")
        try:
            return json.JSONDecoder().raw_decode(text)[0]
        except (ValueError, RecursionError):
            continue
    if lenient and body:
        return body.decode("utf-8", "replace")
    return None


def _unwrapped(result: Any, answer: Answer) -> Any:
    # The picklist operations answer with an envelope inside the envelope (manual of 2025).
    if is_map(result) and result.keys() == {"success", "result"}:
        return result["result"]
    if is_map(result) and result.get("success") is False and "error" in result:
        raise error_of(result["error"], answer)
    return result


def error_of(error: Any, answer: Answer) -> VtigerError:
    """Return the error for an answer that is a failure.

    Args:
        error: The envelope's `error`, or None where there was no envelope.
        answer: The answer; its reason phrase stands in for a message that is missing.
    """
    details: dict[str, Any] = error if is_map(error) else {"message": error}
    code: Any = details.get("code")
    if not isinstance(code, str | int) or isinstance(code, bool) or code == "":
        code = None
    message = str(details.get("message") or "") or _reason(answer)
    if answer.status == 414:  # from the web server in front
        message = f"{_describe(answer)}: the URL is too long; give fewer or shorter values"
    kind = _kind(code, message, answer.status)
    context: dict[str, Any] = {"status": answer.status, "code": code}
    if kind is errors.MandatoryFieldError:
        match = _MANDATORY.match(message)
        return errors.MandatoryFieldError(
            message, field=match.group(1) if match else None, **context
        )
    return kind(message or _describe(answer), **context)


def _kind(code: str | int | None, message: str, status: int) -> type[ApiError]:
    if status == 401:
        return errors.AuthenticationError
    if _MANDATORY.match(message):
        # convertlead gives it the code UNKNOWN_OPERATION; an empty body gives it none.
        return errors.MandatoryFieldError
    if code is not None and str(code) in _CODES:
        return _CODES[str(code)]
    if status >= 500:
        return errors.ServerError
    if code is None:
        return _STATUSES.get(status, ApiError)
    return ApiError


def _reason(answer: Answer) -> str:
    # The standard phrases say nothing that the status does not.
    return "" if answer.reason.lower() in _STANDARD_REASONS else answer.reason


_STANDARD_REASONS = {
    "", "ok", "bad request", "unauthorized", "forbidden", "not found", "internal server error",
    "bad gateway", "service unavailable", "gateway timeout", "gateway time-out",
    "too many requests",
}  # fmt: skip


def _describe(answer: Answer) -> str:
    body = answer.body.strip()
    if not body:
        return f"the server answered HTTP {answer.status} with an empty body"
    if 300 <= answer.status < 400:
        return f"the server answered with a redirect (HTTP {answer.status}): check the URL"
    kind = "an HTML page" if body[:1] == b"<" else "a body that is not Vtiger's JSON"
    return f"the server answered HTTP {answer.status} with {kind} of {len(answer.body)} bytes"
