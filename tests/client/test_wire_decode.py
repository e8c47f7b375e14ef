"""The wire, inwards: every body of the server to a result or a typed error."""

from __future__ import annotations

import json

import pytest

from vtiger_async import errors
from vtiger_async.errors import (
    AccessDeniedError,
    ApiError,
    AuthenticationError,
    DuplicateRecordError,
    InvalidIdError,
    InvalidReferenceError,
    InvalidResponseError,
    LeadAlreadyConvertedError,
    MandatoryFieldError,
    QuerySyntaxError,
    RecordNotFoundError,
    ServerError,
    UnsupportedOperationError,
    VtigerError,
)
from vtiger_async.wire.decode import Answer, decode


def answer(body: bytes | str, status: int = 200, reason: str = "OK") -> Answer:
    """One HTTP answer."""
    return Answer(status, reason, {}, body.encode() if isinstance(body, str) else body)


def refusal(code: object, message: str = "no", status: int = 400, reason: str = "") -> Answer:
    """A failure in Vtiger's form."""
    error = {"code": code, "message": message}
    return answer(json.dumps({"success": False, "error": error}), status, reason)


PHP_WARNING = '<br />\n<b>Warning</b>:  Undefined array key "success" in <b>x.php</b><br />\n'
HTML = "<html><head><title>502 Bad Gateway</title></head></html>"

RESULTS = {
    "a result": (answer('{"success":true,"result":{"id":"4x1"}}'), {"id": "4x1"}),
    "keys in another order": (answer('{"result":[1],"success":true}'), [1]),
    "null": (answer('{"success":true,"result":null}'), None),
    "no result at all": (answer('{"success":true}'), None),
    "an empty PHP map": (answer('{"success":true,"result":[]}'), []),
    "a byte order mark": (answer(b'\xef\xbb\xbf{"success":true,"result":1}'), 1),
    "space around": (answer(' \r\n{"success":true,"result":1}\n'), 1),
    "PHP warnings before": (answer(PHP_WARNING + '{"success":true,"result":[2]}'), [2]),
    "PHP warnings around": (
        answer(PHP_WARNING + '{ "success" : true, "result":[2]}' + PHP_WARNING), [2]
    ),
    "PHP warnings with a false start": (
        answer('Notice: {"success" is odd\n{"result":"é","success":true}'), "é"
    ),
    "PHP warnings that are not UTF-8": (
        answer(b'Notice: \xe9\xff\n{"success":true,"result":"\xc3\xa9"}'), "é"
    ),
    "nested success of add_picklist": (
        answer('{"success":true,"result":{"success":true,"result":{"id0":4}}}'), {"id0": 4}
    ),
    "nested success of edit_picklist": (
        answer('{"success":true,"result":{"success":true,"result":["success",true]}}'),
        ["success", True],
    ),
    "a result that only looks nested": (
        answer('{"success":true,"result":{"success":true,"more":1}}'),
        {"success": True, "more": 1},
    ),
}  # fmt: skip

FAILURES: dict[str, tuple[Answer, type[VtigerError], str]] = {
    "400 with Vtiger's words": (
        refusal("ACCESS_DENIED", "Permission to perform the operation is denied"),
        AccessDeniedError, "ACCESS_DENIED: Permission to perform the operation is denied (HTTP 400",
    ),
    "200 with success false": (
        refusal("INVALID_ID_ATTRIBUTE", "Id specified is incorrect", 200),
        InvalidIdError, "INVALID_ID_ATTRIBUTE: Id specified is incorrect (HTTP 200)",
    ),
    "401 with Vtiger's words": (
        refusal("ACCESS_DENIED", "Invalid authentication information", 401),
        AuthenticationError, "ACCESS_DENIED: Invalid authentication information (HTTP 401)",
    ),
    "401 with a proxy's page": (answer(HTML, 401, "Unauthorized"), AuthenticationError, "HTML"),
    "PHP warnings before a failure": (
        answer(PHP_WARNING + '{"success":false,"error":{"code":"RECORD_NOT_FOUND","message":"x"}}',
               400), RecordNotFoundError, "RECORD_NOT_FOUND: x (HTTP 400)",
    ),
    "the integer 0": (refusal(0, "Duplicate(s) detected!"), DuplicateRecordError, "0: Duplicate"),
    "nested failure": (
        answer('{"success":true,"result":{"success":false,"error":{"code":"DUPLICATE",'
               '"message":"Value x exists"}}}'), DuplicateRecordError, "DUPLICATE: Value x exists",
    ),
    "the reason phrase in an empty body": (
        answer("", 400, "lastname does not have a value"),
        MandatoryFieldError, "lastname does not have a value (HTTP 400)",
    ),
    "the reason phrase without a message": (
        answer('{"success":false,"error":{"code":"ACCESS_DENIED"}}', 400, "Permission is denied"),
        AccessDeniedError, "ACCESS_DENIED: Permission is denied (HTTP 400)",
    ),
    "an empty 400": (answer("", 400, "Bad Request"), ApiError, "HTTP 400 with an empty body"),
    "an empty 500, a PHP fatal error": (
        answer("", 500, "Internal Server Error"), ServerError, "HTTP 500 with an empty body",
    ),
    "an empty 200": (answer(""), InvalidResponseError, "HTTP 200 with an empty body"),
    "white space alone": (answer(" \n"), InvalidResponseError, "HTTP 200 with an empty body"),
    "a proxy's page": (answer(HTML, 502, "Bad Gateway"), ServerError, "HTTP 502 with an HTML page"),
    "an HTML page with 200": (answer(HTML), InvalidResponseError, "HTTP 200 with an HTML page"),
    "a page that is not there": (answer(HTML, 404), UnsupportedOperationError, "HTTP 404 with an"),
    "a proxy that forbids": (answer(HTML, 403, "Forbidden"), AccessDeniedError, "HTTP 403 with an"),
    "a request too long": (answer(HTML, 414), ApiError, "HTTP 414 with an HTML page"),
    "a redirect": (answer("moved", 302, "Found"), InvalidResponseError, "redirect (HTTP 302)"),
    "a cut body": (answer('{"success":true,"resu'), InvalidResponseError, "Vtiger's JSON of 21"),
    "a cut body of a failure": (answer('{"success":fal', 400), ApiError, "not Vtiger's JSON"),
    "success with a failure's status": (
        answer('{"success":true,"result":1}', 500), ServerError, "HTTP 500",
    ),
    "success as text": (answer('{"success":"true","result":1}'), ApiError, "HTTP 200"),
    "JSON without an envelope": (answer("[1]"), InvalidResponseError, "not Vtiger's JSON"),
    "JSON null": (answer("null"), InvalidResponseError, "not Vtiger's JSON"),
    "no error in it": (answer('{"success":false}', 400, "Nope"), ApiError, "Nope (HTTP 400)"),
    "an error that is text": (
        answer('{"success":false,"error":"Maintenance"}', 400), ApiError, "Maintenance (HTTP 400)",
    ),
    "an error that is a list": (
        answer('{"success":false,"error":[]}', 400), ApiError, "HTTP 400",
    ),
    "an odd code": (refusal({"a": 1}, "odd"), ApiError, "odd (HTTP 400)"),
    "a code that is true": (refusal(True, "odd"), ApiError, "odd (HTTP 400)"),
    "an empty code": (refusal("", "odd"), ApiError, "odd (HTTP 400)"),
    "an unknown code": (refusal("NEW_CODE", "odd"), ApiError, "NEW_CODE: odd (HTTP 400)"),
    "an unknown code with 500": (refusal("NEW_CODE", "x", 500), ServerError, "NEW_CODE: x"),
    "convertlead's mandatory field": (
        refusal("UNKNOWN_OPERATION", "sales_stage does not have a value : Potentials"),
        MandatoryFieldError, "UNKNOWN_OPERATION: sales_stage does not have a value",
    ),
    "nesting without end": (answer("[" * 200_000), InvalidResponseError, "not Vtiger's JSON"),
    "nesting without end in an envelope": (
        answer('{"success":true,"result":' + "[" * 200_000), InvalidResponseError, "not Vtiger's",
    ),
    "a number of 5,000 digits": (
        answer('{"success":true,"result":' + "9" * 5000 + "}"), InvalidResponseError, "Vtiger's",
    ),
}  # fmt: skip

CODES: dict[str | int, type[ApiError]] = {
    "SESSION_EXPIRED": AuthenticationError,
    "REFERENCE_INVALID": InvalidReferenceError,
    "SESSION_LEFT_IDLE": AuthenticationError,
    "INVALID_SESSIONID": AuthenticationError,
    "INVALID_USER_CREDENTIALS": AuthenticationError,
    "AUTHENTICATION_REQUIRED": AuthenticationError,
    "AUTHENTICATION_FAILURE": AuthenticationError,
    "ACCESS_DENIED": AccessDeniedError,
    "DATABASE_QUERY_ERROR": ServerError,
    "MANDATORY_FIELDS_MISSING": MandatoryFieldError,
    "INVALID_ID_ATTRIBUTE": InvalidIdError,
    "QUERY_SYNTAX_ERROR": QuerySyntaxError,
    "INVALID_AUTH_TOKEN": AuthenticationError,
    "ACCESSKEY_UNDEFINED": AuthenticationError,
    "RECORD_NOT_FOUND": RecordNotFoundError,
    "UNKNOWN_OPERATION": UnsupportedOperationError,
    "INTERNAL_SERVER_ERROR": ServerError,
    "OPERATION_NOT_SUPPORTED": UnsupportedOperationError,
    "UNKOWN_ENTITY": ApiError,
    "INVALID_POTENTIAL_FOR_CONVERTLEAD": ApiError,
    "LEAD_ALREADY_CONVERTED": LeadAlreadyConvertedError,
    "LEAD_RELATEDLIST_UPDATE_FAILED": ApiError,
    "FAILED_TO_CREATE_RELATION": ApiError,
    "FAILED_TO_MARK_LEAD_CONVERTED": ApiError,
    "INVALID_OLD_PASSWORD": ApiError,
    "NEW_PASSWORD_MISMATCH": ApiError,
    "CHANGE_PASSWORD_FAILURE": ApiError,
    "POTENTIAL_ALREADY_CONVERTED": ApiError,
    "FAILED_TO_MARK_POTENTIAL_CONVERTED": ApiError,
    "POTENTIAL_RELATEDLIST_UPDATE_FAILED": ApiError,
    "FAILED_TO_CREATE": ApiError,
    "CURRENCY_INACTIVE": ApiError,
    "PASSWORD_NOT_STRONG": ApiError,
    "FAILED_TO_UPDATE": ApiError,
    0: DuplicateRecordError,
}


class TestDecode:
    """`decode`."""

    @pytest.mark.parametrize(("body", "result"), RESULTS.values(), ids=RESULTS)
    def test_a_success_gives_its_result(self, body: Answer, result: object) -> None:
        """Every form of a success that was met gives the bare result."""
        assert decode(body) == result

    @pytest.mark.parametrize(("body", "kind", "text"), FAILURES.values(), ids=FAILURES)
    def test_a_failure_gives_a_typed_error(
        self, body: Answer, kind: type[VtigerError], text: str
    ) -> None:
        """Every form of a failure that was met gives the fitting error, with the HTTP status."""
        with pytest.raises(VtigerError) as caught:
            decode(body)
        assert type(caught.value) is kind
        assert text in str(caught.value)
        assert caught.value.status == body.status

    @pytest.mark.parametrize(("code", "kind"), CODES.items(), ids=str)
    @pytest.mark.parametrize("status", [200, 400])
    def test_every_code_has_its_class(self, code: str | int, kind: type, status: int) -> None:
        """Each error code that is known gives its class, and is kept as sent."""
        with pytest.raises(ApiError) as caught:
            decode(refusal(code, "in Vtiger's words", status))
        assert type(caught.value) is kind
        assert (caught.value.code, caught.value.message) == (code, "in Vtiger's words")
        assert type(caught.value.code) is type(code)

    @pytest.mark.parametrize(
        ("message", "field"),
        [
            ("lastname does not have a value", "lastname"),
            ("cf_851 does not have a value : Potentials", "cf_851"),
            ("Mandatory Fields Missing..", None),
            ("Missing parameter value", None),
        ],
    )
    def test_the_mandatory_field_is_read_from_the_message(
        self, message: str, field: str | None
    ) -> None:
        """The message is the only place that names the field."""
        with pytest.raises(MandatoryFieldError) as caught:
            decode(refusal("MANDATORY_FIELDS_MISSING", message))
        assert caught.value.field == field

    @pytest.mark.parametrize(
        ("body", "result"),
        [("[1,2]", [1, 2]), ('"ok"', "ok"), ("plain text", "plain text"), ("0", 0)],
    )
    def test_lenient_takes_what_has_no_envelope(self, body: str, result: object) -> None:
        """An endpoint of API Designer answers as its author likes."""
        assert decode(answer(body), lenient=True) == result

    def test_lenient_still_knows_failures(self) -> None:
        """An envelope that fails, a failing status and an empty body are errors all the same."""
        with pytest.raises(AccessDeniedError):
            decode(refusal("ACCESS_DENIED"), lenient=True)
        with pytest.raises(ServerError):
            decode(answer("plain text", 503), lenient=True)
        with pytest.raises(InvalidResponseError):
            decode(answer(""), lenient=True)

    def test_a_url_that_is_too_long_is_told_as_that(self) -> None:
        """A 414 of the web server, whatever page comes with it, says what to do about it."""
        page = answer("<html>414 Request-URI Too Large</html>", 414, "Request-URI Too Long")
        with pytest.raises(ApiError, match="give fewer or shorter values") as refused:
            decode(page)
        assert refused.value.status == 414

    def test_every_class_of_the_tree_is_reached(self) -> None:
        """No class of the server's refusals is there for nothing."""
        kinds = {kind for kind in vars(errors).values() if isinstance(kind, type)}
        refusals = {kind for kind in kinds if issubclass(kind, ApiError)}
        refusals.remove(errors.ConversionError)  # the client's own finding
        assert set(CODES.values()) == refusals
