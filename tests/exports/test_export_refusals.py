"""Exports that are refused, that cannot write, or that find a file spoiled."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from export_cases import THREE, beside, read_back, two_pages

from vtiger_async import (
    ConfigurationError,
    InvalidArgumentError,
)
from vtiger_async.exports import ExportError
from vtiger_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


async def test_a_file_that_is_there_is_not_replaced(sandbox: Sandbox, tmp_path: Path) -> None:
    """Unless it is said so; and then it stays until the new one is complete."""
    path = tmp_path / "three.csv"
    path.write_text("mine")
    async with sandbox.client() as crm:
        with pytest.raises(ExportError, match="is there"):
            await crm.export(THREE, path)
        assert sandbox.ledger()["calls"] == {}
        there: list[str] = []
        await crm.export(
            THREE, path, overwrite=True, progress=lambda _: there.append(path.read_text())
        )
    assert there == ["mine"]
    assert len(read_back(path)) == 3
    assert beside(path) == [path.name]


async def test_a_file_that_comes_meanwhile_is_not_replaced(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """What was exported is kept, and gets its name once the other is out of the way."""
    path = tmp_path / "three.csv"
    async with sandbox.client() as crm:
        with pytest.raises(ExportError, match="meanwhile"):
            await crm.export(THREE, path, progress=lambda _: path.write_text("mine") and None)
        assert path.read_text() == "mine"
        path.unlink()
        before = sandbox.ledger()["calls"]
        report = await crm.export(THREE, path)
        assert sandbox.ledger()["calls"] == before
    assert (report.records, len(read_back(path))) == (3, 3)


async def test_an_unfinished_export_of_something_else_is_kept(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Another statement, or another instance: it is refused, unless it is to begin anew."""
    path = tmp_path / "some.csv"
    async with sandbox.client() as crm:
        await two_pages(crm, path)
        with pytest.raises(ExportError, match="unfinished export of SELECT"):
            await crm.export("Leads", path)
        report = await crm.export("Leads", path, restart=True)
    assert (report.module, report.records, report.runs) == ("Leads", 300, 1)


async def test_a_part_that_was_spoiled_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """One that is shorter than what it held, or is gone, cannot be gone on with."""
    path, part = tmp_path / "some.csv", tmp_path / "some.csv.part"
    async with sandbox.client() as crm:
        await two_pages(crm, path)
        part.write_bytes(part.read_bytes()[:-1])
        with pytest.raises(ExportError, match="restart"):
            await crm.export("Contacts", path)
        part.unlink()
        with pytest.raises(ExportError, match="restart"):
            await crm.export("Contacts", path)
        assert (await crm.export("Contacts", path, restart=True)).records == 400


@pytest.mark.parametrize("text", ["{}", "nonsense", "[]"])
async def test_a_damaged_state_is_told(sandbox: Sandbox, tmp_path: Path, text: str) -> None:
    """And kept: only `restart` forgets it."""
    path, state = tmp_path / "some.csv", tmp_path / "some.csv.state"
    async with sandbox.client() as crm:
        await two_pages(crm, path)
        with closing(sqlite3.connect(state)) as database, database:
            database.execute("UPDATE standing SET text = ?", (text,))
        with pytest.raises(ExportError, match="damaged"):
            await crm.export("Contacts", path)
        assert (tmp_path / "some.csv.part").exists()
        state.write_bytes(b"this is no database, whatever its name may say of it" * 100)
        with pytest.raises(ExportError, match="cannot be used"):
            await crm.export("Contacts", path)


async def test_two_exports_do_not_write_one_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """The second is refused before a call, and the first goes on."""
    path = tmp_path / "some.csv"
    seen: list[str] = []
    async with sandbox.client() as crm, anyio.create_task_group() as group:

        async def again() -> None:
            with pytest.raises(ExportError, match="another export"):
                await crm.export("Contacts", path)
            seen.append("refused")

        started = False

        def begin(_: int) -> None:
            nonlocal started
            if not started:
                started = True
                group.start_soon(again)

        assert (await crm.export("Contacts", path, progress=begin)).records == 400
    assert seen == ["refused"]


@pytest.mark.parametrize(
    ("what", "name", "error"),
    [
        ("Contacts", "contacts.xlsx", InvalidArgumentError),
        ("Contacts", "contacts", InvalidArgumentError),
        ("SELECT count(*) FROM Contacts;", "contacts.csv", InvalidArgumentError),
        ("Contacts", "no/such/folder/contacts.csv", ExportError),
    ],
)
async def test_what_cannot_be_exported_costs_nothing(
    sandbox: Sandbox, tmp_path: Path, what: str, name: str, error: type[Exception]
) -> None:
    """It is refused before a call is spent, and nothing is made."""
    async with sandbox.client() as crm:
        with pytest.raises(error):
            await crm.export(what, tmp_path / name)
    assert sandbox.ledger()["calls"] == {}
    assert beside(tmp_path / "any") == []


async def test_parquet_without_pyarrow_is_refused_at_once(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the extra; CSV and JSON lines need none."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    async with sandbox.client() as crm:
        with pytest.raises(ConfigurationError, match=r"vtiger-async\[arrow\]"):
            await crm.export(THREE, tmp_path / "three.parquet")
        assert sandbox.ledger()["calls"] == {}
        assert (await crm.export(THREE, tmp_path / "three.csv")).records == 3


async def test_a_full_disk_is_told(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the system's own words; and with more room the export goes on."""
    path = tmp_path / "some.csv"

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    async with sandbox.client() as crm:
        await two_pages(crm, path)
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with pytest.raises(ExportError, match="No space left"):
                await crm.export("Contacts", path)
        report = await crm.export("Contacts", path)
    assert report.records == 400
    assert len(read_back(path)) == 400


async def test_the_file_behind_a_link_is_written(sandbox: Sandbox, tmp_path: Path) -> None:
    """The link stays, and what it leads to is not replaced unasked."""
    folder, link = tmp_path / "elsewhere", tmp_path / "latest.csv"
    folder.mkdir()
    link.symlink_to(folder / "three.csv")
    async with sandbox.client() as crm:
        report = await crm.export(THREE, link)
        assert link.is_symlink()
        assert beside(folder / "any") == ["three.csv"]
        assert (report.path, len(read_back(folder / "three.csv"))) == (link, 3)
        with pytest.raises(ExportError, match=r"latest\.csv is there"):
            await crm.export(THREE, link)


async def test_a_folder_that_may_not_be_written_is_told(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a call, with the folder's name."""

    def refused(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refused)  # for root every folder may be written
    monkeypatch.setattr("os.access", lambda *_: False)
    async with sandbox.client() as crm:
        with pytest.raises(ExportError, match=rf"nothing may be written to the folder {tmp_path}"):
            await crm.export(THREE, tmp_path / "three.csv")
    assert sandbox.ledger()["calls"] == {}
