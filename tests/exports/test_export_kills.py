"""Exports that are killed: at every step of their files, and at any instant over real HTTP."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from export_cases import beside, read_back

from vtiger_async import VtigerClient
from vtiger_async.exports import parts
from vtiger_async.exports.standing import StandingFile
from vtiger_async.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
KEY = "kx7-the-access-key"


class Killed(BaseException):
    """Stands for a kill: nothing of the package catches it, and nothing works after it."""


class Death:
    """Kills a run before or after one of the steps that make something durable."""

    def __init__(self, patch: pytest.MonkeyPatch, step: int) -> None:
        self.left = step
        self.is_dead = False
        patch.setattr(os, "fsync", self.deadly(os.fsync))
        patch.setattr(Path, "replace", self.deadly(Path.replace))
        patch.setattr(Path, "unlink", self.deadly(Path.unlink))
        patch.setattr(StandingFile, "keep", self.deadly(StandingFile.keep))

    def deadly(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """The step, with a place to die before it and one behind it."""

        def tried(*arguments: Any, **named: Any) -> Any:
            self.place()
            result = step(*arguments, **named)
            self.place()
            return result

        return tried

    def place(self) -> None:
        """Die here, if this is the place or that was before."""
        self.left -= 1
        self.is_dead = self.is_dead or self.left == 0
        if self.is_dead:
            raise Killed


@pytest.mark.anyio
@pytest.mark.parametrize(("backend", "form"), [("asyncio", "csv"), ("trio", "parquet")])
def test_a_kill_between_any_two_steps_loses_nothing(
    tmp_path: Path, backend: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run ends with the same file, whichever step of whichever run was the last."""
    monkeypatch.setattr(parts, "_EACH", 0.0)
    monkeypatch.setattr(parts, "_SHARE", 0)
    assert anyio.run(killed_everywhere, tmp_path, form, backend=backend) > 20


async def killed_everywhere(folder: Path, form: str) -> int:
    """Kill a run at each of its places in turn, and end it; return how many places there are."""
    statement = "SELECT ticket_title, hours, createdtime FROM HelpDesk;"
    whole, path = folder / f"whole.{form}", folder / f"some.{form}"
    async with Sandbox(limits=False).client() as crm:
        await crm.export(statement, whole)
        for place in count(1):
            with pytest.MonkeyPatch.context() as patch:
                death = Death(patch, place)
                with suppress(Killed):
                    await crm.export(statement, path)
            if not death.is_dead:
                return place
            report = await crm.export(statement, path, overwrite=path.exists())
            assert report.records == 150
            assert read_back(path) == read_back(whole), place
            assert beside(path) == [path.name, whole.name]
            path.unlink()
    raise AssertionError("it never ended by itself")


@contextmanager
def served() -> Iterator[str]:
    """Serve a sandbox over HTTP, in a thread of its own."""

    @asynccontextmanager
    async def running() -> AsyncGenerator[str]:
        with Sandbox(limits=False, access_key=KEY) as sandbox:
            async with sandbox.serving() as url:
                yield url

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running()) as url,
    ):
        yield url


PROGRAM = """
import sys
import anyio
from vtiger_async import VtigerClient
from vtiger_async.exports import parts
parts._EACH = 0.0
def held(records):
    print(records, flush=True)
    sys.stdin.readline()
async def main():
    async with VtigerClient(sys.argv[1], "admin", sys.argv[2]) as crm:
        await crm.describe("Contacts")
        await crm.export("Contacts", sys.argv[3], progress=held)
anyio.run(main)
"""


async def undisturbed(url: str, path: Path) -> None:
    """Export in this process, which nobody kills."""
    async with VtigerClient(url, "admin", KEY) as crm:
        await crm.export("Contacts", path)


@pytest.mark.parametrize(("seed", "form"), [(1, "jsonl"), (2, "parquet")])
def test_a_kill_at_any_instant_loses_nothing(tmp_path: Path, seed: int, form: str) -> None:
    """Runs are killed until one ends; the file then has every record once, as without kills."""
    chance = random.Random(seed)
    whole, path = tmp_path / f"whole.{form}", tmp_path / f"some.{form}"

    def run(to: Path, pages: int | None, ahead: int = 0) -> int:
        command = [sys.executable, "-c", PROGRAM, url, KEY, str(to)]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            if pages is None:
                process.communicate("\n" * 10)
                return process.wait(60)
            # A line lets a page be written: the kill comes while the last of them are, or in wait.
            process.stdin.write("\n" * (pages - 1 + ahead))
            process.stdin.flush()
            for _ in range(pages):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            return process.wait(60)

    with served() as url:
        anyio.run(undisturbed, url, whole)
        ends = [run(path, pages, chance.randint(0, 1)) for pages in (1, chance.randint(1, 2))]
        assert run(path, None) == 0
    assert ends == [-signal.SIGKILL] * 2
    assert read_back(path) == read_back(whole)
    assert len(read_back(path)) == 400
    assert beside(path) == [path.name, whole.name]
