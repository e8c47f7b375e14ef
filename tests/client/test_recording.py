"""A recording holds what passed, in a file that is whole and says what it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import anyio
import pytest
from recorded import KEY, got, recorded, results, sent

from vtiger_async import AccessDeniedError, ConfigurationError, DuplicateRecordError, VtigerClient
from vtiger_async.recording import Recorder, read_recording
from vtiger_async.sandbox import Sandbox
from vtiger_async.transport.http import Outgoing
from vtiger_async.wire.decode import Answer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a recording is written."""
    return tmp_path / "exchanges.json"


def test_the_file_says_what_it_is(path: Path) -> None:
    """The file has a format, the client's version, a time, the profile and the exchanges' names."""
    recording = recorded(path, (sent("me"), got({"id": "19x1"})), (sent("me"), got({"id": "19x1"})))
    assert recording["format"] == 1
    assert recording["profile"] == "cloud"
    assert recording["client"]
    assert recording["recorded"].endswith("+00:00")
    assert [exchange["name"] for exchange in recording["exchanges"]] == ["me_1", "me_2"]
    assert recording["exchanges"][0]["request"]["path"] == "/restapi/v1/vtiger/default/me"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_is_whole_or_not_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where writing fails, the file from before is there still, and nothing else."""
    path.write_text("before")
    recorder = Recorder(path)
    recorder.observer("ada", KEY)(sent("me"), got({"id": "19x1"}))

    def broken(*_: Any, **__: Any) -> Any:
        raise OSError(28, "no space")

    monkeypatch.setattr(os, "fdopen", broken)
    with pytest.raises(OSError, match="no space"):
        recorder.save()
    assert path.read_text() == "before"
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_a_path_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    """A recorder without a folder to write to is refused before a call is made."""
    with pytest.raises(ConfigurationError, match="cannot be written"):
        Recorder(tmp_path / "nowhere" / "exchanges.json")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        Recorder(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        '{"format": 2, "exchanges": []}',
        '{"format": 1}',
        '{"format": 1, "exchanges": [1]}',
        '{"format": 1, "exchanges": [{"name": "x", "request": {}, "response": {}}]}',
    ],
)
def test_what_is_no_recording_is_refused(path: Path, text: str) -> None:
    """A file that is no recording, or of another format, is refused with the reason."""
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"recording|format"):
        read_recording(path)


def test_odd_answers_are_recorded(path: Path) -> None:
    """What is no JSON of Vtiger's is recorded too: other JSON, other paths, parameters in lists."""
    recording = recorded(
        path,
        (
            Outgoing("GET", "https://x.example/index.php?names[]=Wilhelmina&names[]=b&x=[1&y={z"),
            Answer(200, "OK", {}, b'"Wilhelmina"'),
        ),
        (
            sent(
                "create", elementType="Contacts", element={"passwords": ["a"], "token": {"x": "b"}}
            ),
            Answer(200, "OK", {}, b'[{"first": "Wilhelmina"}]'),
        ),
        (sent("describe"), got({"name": "X", "fields": None})),
        (sent("sync", elementType="X"), got({"updated": [{"id": "9x1"}], "deleted": ["9x2"]})),
        (sent("retrieve", id="9x1"), got({"id": "9x1", "birthday": "0000-00-00"})),
    )
    odd, created, *_ = recording["exchanges"]
    assert odd["request"]["path"] == "/index.php"
    assert len(odd["request"]["params"]["names[]"]) == 2
    assert list(odd["response"]["body"]) == ["__raw__"]
    assert created["request"]["params"]["element"] == {
        "passwords": ["SESSION"],
        "token": {"x": "SESSION"},
    }
    assert isinstance(created["response"]["body"], list)
    assert results({"exchanges": recording["exchanges"][2:]}) == [
        {"name": "X", "fields": None},
        {"updated": [{"id": "9x1"}], "deleted": ["9x2"]},
        {"id": "9x1", "birthday": "0000-00-00"},
    ]
    assert "wilhelmina" not in path.read_text("utf-8").casefold()


def test_the_profile_may_stay_open(path: Path) -> None:
    """A recording without an answer of Vtiger's own says nothing of the profile."""
    gateway = Answer(502, "Bad Gateway", {"content-type": "text/html"}, b"<h1>sorry</h1>")
    assert recorded(path, (sent("me"), gateway))["profile"] is None


def test_every_answer_is_recorded(path: Path) -> None:
    """Answers and refusals are recorded, and no call more is made for it."""

    async def run(sandbox: Sandbox, recorder: Recorder) -> None:
        async with sandbox.client(recorder=recorder) as crm:
            me = await crm.me()
            fields = {"accountname": "Gräfenstein", "assigned_user_id": me.id}
            await crm.create("Accounts", fields)
            with pytest.raises(DuplicateRecordError):
                await crm.create("Accounts", fields)
            with pytest.raises(AccessDeniedError):
                await crm.retrieve("3x999999")

    with Sandbox(limits=False) as sandbox, Recorder(path) as recorder:
        anyio.run(run, sandbox, recorder)
        assert len(recorder) == sum(sandbox.ledger()["calls"].values()) == 4
    recording = read_recording(path)
    assert [e["response"]["status"] for e in recording["exchanges"]] == [200, 200, 400, 400]
    assert "gräfenstein" not in path.read_text("utf-8").casefold()
    assert sandbox.access_key not in path.read_text("utf-8")


def test_an_error_loses_nothing(path: Path) -> None:
    """A block that ends by an error leaves the exchanges from before it."""

    async def run() -> None:
        with Recorder(path) as recorder:
            async with Sandbox().client(recorder=recorder) as crm:
                await crm.me()
                raise RuntimeError

    with pytest.raises(RuntimeError):
        anyio.run(run)
    assert len(read_recording(path)["exchanges"]) == 1


def test_two_clients_share_a_recorder(path: Path) -> None:
    """One recorder takes what several users do, each under a pseudonym."""

    async def run() -> None:
        with Sandbox(limits=False) as sandbox, Recorder(path) as recorder:
            for user in ("admin", "sales"):
                async with sandbox.client(user, recorder=recorder) as crm:
                    assert isinstance(crm, VtigerClient)
                    await crm.me()

    anyio.run(run)
    recording = read_recording(path)
    users = [exchange["request"]["user"] for exchange in recording["exchanges"]]
    assert len(set(users)) == 2
    assert [recording["users"][user]["admin"] for user in users] == [True, False]
