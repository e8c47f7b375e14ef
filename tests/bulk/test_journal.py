"""The journal: locked, durable, private, and clear about what is wrong with it."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bulk.jobs import ACCOUNTS, account, accounts, planned
from vtiger_async.bulk.errors import JournalError, JournalInUseError
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.steps import LoadInfo, Step

ROOT = Path(__file__).resolve().parents[2]


def in_child(code: str, path: Path) -> subprocess.Popen[str]:
    """Start a process that runs code with the journal's path in `path`."""
    start = f"import sys\nfrom pathlib import Path\npath = Path({str(path)!r})\n"
    start += "from vtiger_async.bulk.journal import Journal\n"
    return subprocess.Popen(
        [sys.executable, "-c", start + code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_steps_come_back_as_they_were_added(path: Path) -> None:
    """All of a step is kept, text of any kind, and what waits for another record."""
    step = Step(
        0, 7, "link", turn=3, key="ä\x1fb", record_id="3x1", fields={"a": None, "b": "é", "c": []},
        waits={"account_id": (1, "k")}, old={"a": ""}, stored={"m": "1"}, raw={"A": "x", "B": None},
        reason=["r"], sent_at=1.5, settled=True,
    )  # fmt: skip
    journal = planned(path, [step])
    journal.close()
    journal = Journal.open(path)
    assert journal.steps() == [step]
    assert step.id == 1
    assert journal.loads == [ACCOUNTS]
    assert (journal.state, journal.fact("job"), journal.fact("no")) == ("planned", "job", None)


def test_only_its_owner_may_read_it(path: Path) -> None:
    """The file and what SQLite puts beside it hold the input: nobody else reads them."""
    journal = planned(path, accounts(3))
    files = list(path.parent.glob("job.journal*"))
    assert files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    journal.close()


def test_two_jobs_cannot_have_one_journal(path: Path) -> None:
    """Another process is refused at once, and may have it when the first ends, however it ends."""
    planned(path, accounts(1)).close()
    with in_child("journal = Journal.open(path); print('open', flush=True); input()", path) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == "open\n"
        with pytest.raises(JournalInUseError, match="in use by another job"):
            Journal.open(path)
        one.kill()
    journal = Journal.open(path)
    with pytest.raises(JournalInUseError):
        Journal.open(path)
    journal.close()


def test_what_was_written_outlives_a_kill(path: Path) -> None:
    """A process that is killed after `write` has returned has written; others can go on."""
    planned(path, accounts(50)).close()
    code = (
        "journal = Journal.open(path)\n"
        "for step in journal.steps():\n"
        "    step.state = 'sent'\n"
        "    journal.write([step])\n"
        "    print(step.id, flush=True)\n"
    )
    with in_child(code, path) as child:
        assert child.stdout is not None
        last = [int(child.stdout.readline()) for _ in range(20)][-1]
        child.kill()
    journal = Journal.open(path)
    sent = journal.steps(("sent",))
    assert [step.id for step in sent][:last] == list(range(1, last + 1))
    assert len(sent) < 50 or last == 50
    journal.doubt()
    assert journal.counts().get((0, "create", "unknown")) == len(sent)
    journal.close()


def test_a_full_disk_is_told_and_loses_nothing(path: Path) -> None:
    """What does not fit is refused as a whole; what was written stays, and can be gone on with."""
    journal = planned(path, accounts(5))
    pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
    journal._database.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(JournalError, match="the disk is full: make room, and resume the job"):
        journal.add(account(row, "x" * 500) for row in range(6, 500))
    assert journal.counts() == {(0, "create", "planned"): 5}
    journal._database.execute("PRAGMA max_page_count = 100000")
    journal.add([account(6)])
    journal.close()


def test_a_file_that_may_not_grow_is_told(path: Path) -> None:
    """A limit of the system on the size of files is an error of the journal, too."""
    planned(path, accounts(5)).close()
    code = (
        "import resource, signal\n"
        "from tests.bulk.jobs import account\n"
        "from vtiger_async.bulk.errors import JournalError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "journal = Journal.open(path)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n"
        "    journal.add(account(row, 'x' * 900) for row in range(6, 3000))\n"
        "except JournalError as error:\n"
        "    print(error)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 200_000
    with in_child(code, path) as child:
        out, errors = child.communicate(timeout=30)
    assert "job.journal" in out, errors
    journal = Journal.open(path)
    assert journal.counts() == {(0, "create", "planned"): 5}
    journal.close()


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.95])
def test_a_journal_cut_short_is_refused(path: Path, kept: float) -> None:
    """A file of which the end is missing is told to be damaged; it is not read as a shorter one."""
    journal = planned(path, accounts(2000))
    journal.close()
    size = path.stat().st_size
    os.truncate(path, int(size * kept))
    with pytest.raises(JournalError, match=r"cut short|no journal"):
        Journal.open(path)


def test_what_is_no_journal_is_refused(path: Path) -> None:
    """Text, another database, a directory, nothing at all: each is told."""
    with pytest.raises(JournalError, match="no such journal"):
        Journal.open(path)
    with pytest.raises(JournalError, match="no such journal"):
        Journal.open(path.parent)
    path.write_text("Name;Phone\n" * 100)
    with pytest.raises(JournalError, match="no journal"):
        Journal.open(path)
    other = path.with_name("other.db")
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE t (a)")
    database.close()
    with pytest.raises(JournalError, match="no journal"):
        Journal.open(other)


def test_another_version_is_refused(path: Path) -> None:
    """A journal of a later format is left alone."""
    journal = planned(path, accounts(1))
    journal.keep(format=99)
    journal.close()
    with pytest.raises(JournalError, match="another version of this package"):
        Journal.open(path)


def test_no_file_is_written_over(path: Path) -> None:
    """A new job does not take the name of one that is there, and tells of a missing folder."""
    planned(path, accounts(1)).close()
    with pytest.raises(JournalError, match="is there already: resume that job"):
        planned(path, [])
    with pytest.raises(JournalError, match="cannot be made"):
        planned(path.parent / "missing" / "job", [])


@pytest.mark.parametrize("content", [b"Name,Phone\r\nAlpha,1\r\n" * 9, "a database"])
def test_what_is_no_journal_is_left_as_it_is(path: Path, content: bytes | str) -> None:
    """A file of something else that is named by mistake is refused, and not changed."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE job (name, value)")
        other.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="is there already"):
        planned(path, [])
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_planning_that_was_cut_short_begins_again(path: Path) -> None:
    """A new plan takes the place of one whose process ended; of one that runs it does not."""
    old = Journal.create(path, instance="https://crm.example", job="old", created_at=0.0)
    old.add(accounts(20))
    with pytest.raises(JournalInUseError):
        planned(path, accounts(1))
    old.close()
    journal = planned(path, accounts(3))
    assert [step.row for step in journal.steps()] == [1, 2, 3]
    assert journal.fact("job") == "job"
    journal.close()


def test_a_file_without_tables_is_taken(path: Path) -> None:
    """A process can end after the file was made, and before its tables were."""
    path.touch()
    with pytest.raises(JournalError, match="holds nothing: it was cut short, or never begun"):
        Journal.open(path)
    planned(path, accounts(1)).close()
    Journal.open(path).close()


def test_open_steps_are_found_by_an_index(path: Path) -> None:
    """The open steps of a turn cost no walk along those that are done."""
    journal = planned(path, accounts(3))
    statements: list[str] = []
    journal._database.set_trace_callback(statements.append)
    journal.steps(("planned",), turn=0)
    journal._database.set_trace_callback(None)
    plan = journal._database.execute(f"EXPLAIN QUERY PLAN {statements[-1]}").fetchall()
    assert "open_steps" in plan[0][3]
    journal.close()


def test_rows_and_keys_are_found(path: Path) -> None:
    """A key names the first step that can have made its record; a row its step, or its link."""
    steps = [account(1, "A"), account(2, "A"), account(3, "B")]
    steps[0].state = "skipped"
    link = Step(0, 3, "link", turn=1, key="b")
    journal = planned(path, [*steps, link], [ACCOUNTS, LoadInfo("Leads", "create")])
    assert {key: step.row for key, step in journal.with_keys(0, ["a", "b", "c"]).items()} == {
        "a": 2,
        "b": 3,
    }
    assert journal.with_keys(1, ["a"]) == {}
    assert journal.of_rows([(0, 3), (1, 3)])[0, 3].action == "create"
    assert journal.of_rows([(0, 1), (0, 3)], links=True) == {(0, 3): link}
    assert (journal.turns(), journal.open_turns()) == ([0, 1], [0, 1])
    journal.close()


def test_a_copy_without_its_log_is_whole(path: Path) -> None:
    """A journal that was closed is one file, which can be copied."""
    planned(path, accounts(10)).close()
    assert [file.name for file in path.parent.iterdir()] == ["job.journal"]
    copy = shutil.copy(path, path.with_name("copy"))
    journal = Journal.open(Path(copy))
    assert len(journal.steps()) == 10
    journal.close()
