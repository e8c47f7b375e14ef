"""The parts of the command line that need no instance: exit codes, output, fields, the extra."""

from __future__ import annotations

import io
import json
import runpy
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

import vtiger_async.errors as errors
from vtiger_async import __version__
from vtiger_async.__main__ import main
from vtiger_async.cli.exits import EXIT_CODES, ExitCode, exit_code_of, exits, printable
from vtiger_async.cli.fields import json_object, named_values
from vtiger_async.cli.output import Format, Output
from vtiger_async.errors import ServerError, VtigerError

EXPECTED = {
    "VtigerError": 1,
    "OutcomeUnknownError": 1,
    "AccessDeniedError": 1,
    "MandatoryFieldError": 1,
    "ConfigurationError": 2,
    "InvalidArgumentError": 2,
    "QuerySyntaxError": 2,
    "InvalidIdError": 2,
    "AuthenticationError": 4,
    "RateLimitError": 5,
    "QuotaExhaustedError": 5,
    "ConnectError": 7,
    "RequestTimeoutError": 7,
    "InvalidResponseError": 7,
    "ServerError": 7,
}


@pytest.mark.parametrize(("name", "code"), EXPECTED.items())
def test_each_error_has_its_exit_code(
    capsys: pytest.CaptureFixture[str], name: str, code: int
) -> None:
    """An error ends the command with the code of its class, or of the nearest parent."""
    with pytest.raises(typer.Exit) as ended, exits():
        raise getattr(errors, name)("what went wrong\nand where")
    assert ended.value.exit_code == code
    assert capsys.readouterr().err.splitlines()[0].startswith("error: what went wrong and where")


def test_every_error_of_the_tree_has_a_code() -> None:
    """No class of the tree is without an exit code, and no code says that all is well."""
    for name in errors.__all__:
        assert exit_code_of(getattr(errors, name)()) in set(EXIT_CODES.values()) - {ExitCode.OK}


@pytest.mark.parametrize(("status", "code"), [(400, 1), (500, 7), (503, 7), (None, 7)])
def test_an_internal_error_with_400_is_the_requests(status: int | None, code: int) -> None:
    """INTERNAL_SERVER_ERROR with HTTP 400 would come again: it is an error, not unavailable."""
    assert exit_code_of(ServerError("x", status=status)) == code


def test_an_error_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters in what the server says are shown, not sent to the terminal."""
    with pytest.raises(typer.Exit), exits():
        raise VtigerError("\x1b[2J gone")
    assert capsys.readouterr().err == "error: \\x1b[2J gone\n"


def test_ctrl_c_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    """An interrupt ends with 130 and one line."""
    with pytest.raises(typer.Exit) as ended, exits():
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err == "error: interrupted\n"


@given(st.text())
def test_printable_text_holds_no_control_character(text: str) -> None:
    """What is printed is printable, and what was printable is unchanged."""
    shown = printable(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.text(), max_size=5))
def test_named_values_keep_every_value(values: dict[str, str]) -> None:
    """Whatever stands behind the first `=` is the value."""
    assert named_values([f"{name}={value}" for name, value in values.items()]) == values


def test_json_numbers_lose_no_digit(tmp_path: Path) -> None:
    """A number with a point is read as a Decimal."""
    path = tmp_path / "x.json"
    path.write_text('{"rate": 0.12345678901234567890, "n": 3}', encoding="utf-8-sig")
    assert json_object(str(path)) == {"rate": Decimal("0.12345678901234567890"), "n": 3}


def written(output: Format, *rows: dict[str, object]) -> str:
    """Return what rows become in one format."""
    stream = io.StringIO()
    with Output(output, stream).rows() as writer:
        for row in rows:
            writer.add(row)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("output", "text", "says"),
    [
        (Format.TABLE, "", "nothing found\n"),
        (Format.JSON, "[]\n", ""),
        (Format.JSONL, "", ""),
        (Format.CSV, "", ""),
    ],
)
def test_nothing_is_still_well_formed(
    capsys: pytest.CaptureFixture[str], output: Format, text: str, says: str
) -> None:
    """No rows at all: an empty array in JSON, nothing elsewhere; a table's reader is told."""
    assert written(output) == text
    assert capsys.readouterr().err == says


def test_a_table_shows_data_as_it_is() -> None:
    """Brackets are no markup in a table, and a line break does not break the line."""
    text = written(
        Format.TABLE, {"name": "[bold]A[/bold]\nB", "none": None, "on": True, "no": False}
    )
    assert "[bold]A[/bold]\\nB" in text
    assert "yes" in text
    assert "None" not in text
    assert "…" not in written(Format.TABLE, {"long": "x" * 5000})


def test_a_long_table_comes_in_blocks() -> None:
    """After a hundred rows a table is shown, so that a long result begins before it ends."""
    stream = io.StringIO()
    with Output(Format.TABLE, stream).rows() as writer:
        for number in range(100):
            writer.add({"number": number})
        assert "99" in stream.getvalue()
        writer.add({"number": 100})
    assert stream.getvalue().count("number") == 2


def test_csv_tells_what_its_header_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that only a later row has is left out of the CSV, and told of."""
    text = written(Format.CSV, {"a": 'x"y', "b": None}, {"a": "1", "c": [1, 2]}, {"b": ["p", "q"]})
    assert text == 'a,b\n"x""y",\n1,\n,"p, q"\n'
    assert capsys.readouterr().err == "not in the header, and left out: c\n"


@pytest.mark.parametrize("output", list(Format))
def test_any_value_can_be_written(output: Format) -> None:
    """Objects, lists of them, lists of other things and scalars: each format takes them all."""
    for value in ({"a": {"b": 1}}, [{"a": 1}, {"a": 2}], [1, "x"], "x", None, 3, True):
        stream = io.StringIO()
        Output(output, stream).value(value)
        assert stream.getvalue().endswith("\n")
        if output is Format.JSON:
            assert json.loads(stream.getvalue()) == value


def test_the_package_runs_as_a_module(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m vtiger_async` is the command line."""
    monkeypatch.setattr(sys, "argv", ["vtiger_async", "--version"])
    monkeypatch.delitem(sys.modules, "vtiger_async.__main__")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("vtiger_async", run_name="__main__")
    assert not ended.value.code
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_one_sentence_names_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Without the extra `cli` the command ends with 2 and says how to install it."""
    for name in [name for name in sys.modules if name.startswith("vtiger_async.cli")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "vtiger-async[cli]" in said
    assert said.count("\n") == 1


def test_a_fault_of_the_package_is_not_taken_for_a_missing_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A module of the package that is missing is told as what it is."""
    for name in [name for name in sys.modules if name.startswith("vtiger_async.cli")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "vtiger_async.cli.demo", None)
    with pytest.raises(ModuleNotFoundError, match=r"vtiger_async\.cli\.demo"):
        __import__("vtiger_async.cli")
