"""How the tests run the command line: in this process, as another one, or on a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from attrs import frozen

from vtiger_async.__main__ import main
from vtiger_async.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-W", "error", "-m", "vtiger_async"]
KEY = "kx7-the-access-key"


@frozen
class Result:
    """How a run of the command line ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[Any]:
        """The JSON lines on standard output."""
        return [json.loads(line) for line in self.out.splitlines()]


@frozen
class Instance:
    """A sandbox in another process."""

    url: str

    def order(self, kind: str, **options: Any) -> None:
        """Order a fault."""
        reply = httpx.post(f"{self.url}/__sandbox__/faults", json={"kind": kind, **options})
        assert reply.status_code == 201, reply.text

    def calls(self) -> dict[str, int]:
        """The calls that came, by operation."""
        return httpx.get(f"{self.url}/__sandbox__/ledger").json()["calls"]

    def reset(self) -> None:
        """Go back to the start."""
        httpx.post(f"{self.url}/__sandbox__/reset")

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead to it."""
        return {"VTIGER_URL": self.url, "VTIGER_USERNAME": "admin", "VTIGER_ACCESS_KEY": KEY}


@contextmanager
def served_here(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[Sandbox]:
    """Serve a sandbox without records from this process, and set the environment up for it.

    Args:
        monkeypatch: Undoes it.
        options: Of the sandbox.
    """
    with (
        Sandbox(records=0, access_key=KEY, **options) as sandbox,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(sandbox.serving()) as url,
    ):
        for name, value in Instance(url).environment.items():
            monkeypatch.setenv(name, value)
        yield sandbox


@contextmanager
def serving(*more: str) -> Iterator[Instance]:
    """Serve a sandbox by the command, on a clock so fast that no test meets the limits."""
    options = ["--port", "0", "--access-key", KEY, "--speed", "100000", *more]
    with subprocess.Popen(
        [*COMMAND, "sandbox", "serve", *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield Instance(json.loads(process.stdout.readline())["url"])
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)


def run_here(capsys: pytest.CaptureFixture[str], *arguments: str) -> Result:
    """Run the command line in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["vtiger-async", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    captured = capsys.readouterr()
    return Result(int(ended.value.code or 0), captured.out, captured.err)


def clean_environment(variables: Mapping[str, str] = {}) -> dict[str, str]:
    """Return this process's environment without its own Vtiger settings, and with `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VTIGER_")}
    return {**kept, "TERM": "xterm", "COLUMNS": "80", **variables}


def run_apart(*arguments: str, stdin: str = "", **variables: str) -> Result:
    """Run the command line as another process, its streams piped."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=clean_environment(variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def _take_terminal() -> None:
    """Make standard input the terminal of a new process, where Ctrl-C and passwords go."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what starts the tests may have ignored it
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def run_on_terminal(
    *arguments: str, typed: str = "", after: str = ": ", **variables: str
) -> Result:
    """Run the command line as another process on a terminal; all it shows is in `out`.

    Args:
        arguments: The arguments.
        typed: What is typed once it asks.
        after: What it shows last when it asks; else a colon and a space.
        variables: The environment.
    """
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=clean_environment(variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,
    ) as process:
        os.close(theirs)
        shown, asked, patience = b"", False, 30
        while patience:
            if not select.select([ours], [], [], 1)[0]:
                patience -= 1
                # Ctrl-C just before the program begins to read is not heard; heard twice, it kills.
                if asked and typed == "\x03" and b"interrupted" not in shown:
                    os.write(ours, typed.encode())
                continue
            try:
                chunk = os.read(ours, 4096)
            except OSError:  # Linux's way of saying that the other side has closed
                break
            if not chunk:
                break
            shown += chunk
            if typed and not asked and shown.endswith(after.encode()):
                asked = True
                os.write(ours, typed.encode())
        os.close(ours)
    return Result(process.returncode, shown.decode(), "")
