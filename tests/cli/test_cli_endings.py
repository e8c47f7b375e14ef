"""How commands end, where the access key comes from, and what is different on a terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from cli_runs import (
    COMMAND,
    KEY,
    ROOT,
    Instance,
    clean_environment,
    run_apart,
    run_here,
    run_on_terminal,
)

from vtiger_async import __version__

CONTACTS = "SELECT lastname, email FROM Contacts;"


class Keyboard(io.StringIO):
    """Standard input that takes itself for a terminal."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


class TestExitCodes:
    """What each ending of a command says to a script."""

    def test_a_refusal_of_vtiger_is_1(
        self, instance: Instance, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """An error answer ends with 1, and names the operation and the field."""
        result = run_here(capsys, "create", "Leads", "company=x")
        assert result.code == 1
        assert result.err.startswith("error: create Leads: MANDATORY_FIELDS_MISSING: lastname")
        assert not result.out

    def test_a_lost_reply_to_a_write_is_1(
        self, instance: Instance, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A create whose reply was lost ends with 1, and says to look first."""
        instance.order("commit_then_drop", operation="create", times=1)
        result = run_here(capsys, "create", "Leads", "lastname=x", "assigned_user_id=19x1")
        assert result.code == 1
        assert "It may have happened" in result.err

    def test_a_wrong_key_is_4(self, instance: Instance) -> None:
        """A wrong key ends with 4; neither key is shown."""
        result = run_apart("whoami", **instance.environment | {"VTIGER_ACCESS_KEY": "wr0ng-key"})
        assert result.code == 4
        assert "Traceback" not in result.err
        assert "wr0ng-key" not in result.out + result.err

    def test_a_used_up_quota_is_5(
        self, instance: Instance, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A 429 that asks for more patience than there is ends with 5."""
        instance.order("429", times=1, retry_after=3600)
        assert run_here(capsys, "whoami").code == 5

    def test_an_instance_that_fails_is_7(
        self, instance: Instance, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """An instance that is down for longer than the command waits ends with 7."""
        instance.order("503", times=1, retry_after=3600)
        result = run_here(capsys, "whoami")
        assert result.code == 7
        assert result.err.count("\n") == 1

    def test_a_reader_that_goes_away_is_no_traceback(self, instance: Instance) -> None:
        """`| head` ends the command in silence."""
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [*COMMAND, "query", CONTACTS],
            cwd=ROOT,
            env=clean_environment(instance.environment),
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
        os.close(write)
        assert (done.returncode, done.stderr) == (1, "")


class TestAccessKey:
    """Where the access key comes from."""

    @pytest.mark.parametrize("command", ["whoami", "query", "create", "call", "demo"])
    def test_no_option_takes_it(self, capsys: pytest.CaptureFixture[str], command: str) -> None:
        """No command has an option or argument for a key: arguments are seen by every process."""
        text = run_here(capsys, command, "--help").out
        assert "--key " not in text
        assert "--access-key" not in text
        result = run_here(capsys, command, "--access-key", KEY)
        assert result.code == 2
        assert KEY not in result.out

    def test_without_one_nothing_is_sent(self, instance: Instance) -> None:
        """Without a key and a terminal the command ends with 2, and says where to put it."""
        address = {"VTIGER_URL": instance.url, "VTIGER_USERNAME": "admin"}
        result = run_apart("whoami", **address)
        assert result.code == 2
        assert "VTIGER_ACCESS_KEY" in result.err
        empty = run_apart("whoami", "--key-stdin", **address)
        assert empty.code == 2
        assert "standard input holds no access key" in empty.err
        assert instance.calls() == {}

    def test_a_terminal_is_asked(self, instance: Instance) -> None:
        """On a terminal the key is asked for, and not shown while it is typed."""
        address = {"VTIGER_URL": instance.url, "VTIGER_USERNAME": "admin"}
        result = run_on_terminal("whoami", typed=f"{KEY}\n", **address)
        assert result.code == 0, result.out
        assert "Access key:" in result.out
        assert "admin@example.com" in result.out
        assert KEY not in result.out

    def test_standard_input_holds_it(
        self,
        instance: Instance,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """--key-stdin wins over the environment, and an empty input is refused."""
        monkeypatch.setenv("VTIGER_ACCESS_KEY", "another")
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{KEY}\n"))
        assert run_here(capsys, "whoami", "--key-stdin").code == 0
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        assert run_here(capsys, "whoami", "--key-stdin").code == 2
        monkeypatch.delenv("VTIGER_ACCESS_KEY")
        assert run_here(capsys, "whoami").code == 2

    @pytest.mark.parametrize(("missing", "option"), [("URL", "--url"), ("USERNAME", "--username")])
    def test_a_missing_address_names_the_option(
        self,
        instance: Instance,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        missing: str,
        option: str,
    ) -> None:
        """Without URL or user the command ends with 2, and names option and variable."""
        monkeypatch.delenv(f"VTIGER_{missing}")
        result = run_here(capsys, "whoami")
        assert result.code == 2
        assert option in result.err
        assert f"VTIGER_{missing}" in result.err


class TestTerminal:
    """What is different on a terminal."""

    def test_data_is_a_table(self, instance: Instance) -> None:
        """Records with few fields stand in a table, a line each."""
        result = run_on_terminal("query", CONTACTS, "--limit", "2", **instance.environment)
        assert result.code == 0
        assert "lastname" in result.out
        assert "{" not in result.out

    def test_wide_records_stand_upright(self, instance: Instance) -> None:
        """Records with more fields than fit stand one below the other, a line for each field."""
        statement = "SELECT * FROM Contacts LIMIT 1;"
        result = run_on_terminal("query", statement, **instance.environment)
        lines = [line for line in result.out.splitlines() if "lastname" in line]
        assert len(lines) == 1
        assert "firstname" not in lines[0]

    @pytest.mark.parametrize(("typed", "code", "left"), [("y\n", 0, False), ("n\n", 1, True)])
    def test_delete_asks(
        self,
        instance: Instance,
        capsys: pytest.CaptureFixture[str],
        typed: str,
        code: int,
        left: bool,
    ) -> None:
        """Delete asks before it deletes, and an n leaves the record alone."""
        (made,) = run_here(capsys, "create", "Leads", "lastname=X", "assigned_user_id=19x1").rows
        result = run_on_terminal("delete", made["id"], typed=typed, **instance.environment)
        assert result.code == code
        assert f"Delete {made['id']}?" in result.out
        assert (run_here(capsys, "get", made["id"]).code == 0) is left

    def test_delete_takes_no_for_an_answer(
        self,
        instance: Instance,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """An n costs no call and ends with 1."""
        monkeypatch.setattr(sys, "stdin", Keyboard("n\n"))
        result = run_here(capsys, "delete", "4x1")
        assert result.code == 1
        assert "nothing was deleted" in result.err
        assert instance.calls() == {}

    def test_ctrl_c_ends_with_130(self, instance: Instance) -> None:
        """Ctrl-C ends a command with 130 and one line, also while it waits for an answer."""
        result = run_on_terminal("delete", "4x1", typed="\x03", **instance.environment)
        assert result.code == 130
        assert "Traceback" not in result.out


@pytest.mark.parametrize(
    "arguments",
    [("nothing",), ("whoami", "--users", "many"), ("query",), ("demo", "--rows", "0")],
)
def test_what_is_not_understood_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    """A command line that cannot be read ends with 2."""
    result = run_here(capsys, *arguments)
    assert result.code == 2
    assert "Traceback" not in result.err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """--version shows the package's version."""
    result = run_here(capsys, "--version")
    assert (result.code, result.out) == (0, f"{__version__}\n")
