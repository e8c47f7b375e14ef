"""What planning costs: calls, and memory."""

from __future__ import annotations

import gc
import tracemalloc
from functools import partial
from pathlib import Path

import anyio
import pytest
from planned import ADMIN, Desk, accounts, named

import vtiger_async.cli
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import ProfileName

pytestmark = pytest.mark.anyio

BUNDLED = Path(vtiger_async.cli.__file__).with_name("organisations.csv")
WHOLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "organisations.csv"
"""Ten thousand organisations, which are not part of the project; they may lie beside it."""
COLUMNS = {
    "Organization Name": "accountname",
    "Website": "website",
    "Billing Country": "bill_country",
    "State": "bill_state",
    "Domains": "description",
}


class TestCalls:
    """What planning costs."""

    async def test_a_thousand_new_rows(self, desk: Desk) -> None:
        """A thousand rows of new records cost a description and ten lookups."""
        job = await desk.plan(accounts(named(1000)))
        assert job.numbers == {"create": 1000}
        assert job.calls == {"describe": 1, "query": 10}

    @pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
    async def test_a_thousand_unchanged_rows(self, tmp_path: Path, profile: ProfileName) -> None:
        """A thousand rows whose records are as they should be cost the same, and no write."""
        with Sandbox(limits=False, profile=profile) as sandbox:
            desk = Desk(tmp_path, sandbox)
            rows = named(200)
            await desk.create("Accounts", *rows)
            job = await desk.plan(accounts([*rows, *named(1000)[200:]]))
            assert job.numbers == {"unchanged": 200, "create": 800}
            assert job.calls == {"describe": 1, "query": 10}
            desk.close()

    async def test_a_key_that_is_not_unique(self, desk: Desk) -> None:
        """It costs one call more, which tells who "me" is, and whether all records are seen."""
        job = await desk.plan(accounts(named(1000), key="phone", owner="me"))
        assert job.calls == {"describe": 1, "query": 10, "me": 1}

    async def test_no_key(self, desk: Desk) -> None:
        """Rows without a key are all created, and only the description is asked for."""
        job = await desk.plan(accounts(named(300), key=None))
        assert job.numbers == {"create": 300}
        assert job.calls == {"describe": 1}
        assert {step.key for step in job.steps} == {None}

    async def test_me_is_asked_once(self, desk: Desk) -> None:
        """The owner "me" is one call."""
        job = await desk.plan(accounts(named(100), owner="me"))
        assert job.calls == {"describe": 1, "query": 1, "me": 1}
        assert job.row(1).fields["assigned_user_id"] == ADMIN

    async def test_repeats_do_not_cost_lookups(self, desk: Desk) -> None:
        """Repeats within a window and across windows leave every lookup full."""
        rows = [row for row in named(2000) for _ in range(2)]
        job = await desk.plan(accounts([*rows, *named(2000)]))
        assert job.numbers == {"create": 2000, "skipped": 4000}
        assert job.calls == {"describe": 1, "query": 20}

    async def test_ids_of_owners_cost_nothing(self, desk: Desk) -> None:
        """A column that holds ids asks for no description of users."""
        rows = [{**row, "assigned_user_id": ADMIN} for row in named(10)]
        job = await desk.plan(accounts(rows, owner=None))
        assert job.calls == {"describe": 1, "query": 1}

    @pytest.mark.skipif(not WHOLE.exists(), reason="the file is not part of the project")
    def test_ten_thousand_organisations(self, desk: Desk) -> None:
        """They cost 103 calls, on an empty instance and, with nothing to write, on a filled one."""
        anyio.run(self.plan_twice, desk)

    async def plan_twice(self, desk: Desk) -> None:
        """Plan the whole file, create its records, and plan it again."""
        load = accounts(WHOLE, owner="me", mapping=COLUMNS)
        job = await desk.plan(load)
        counts = job.journal.counts()
        new = [step.fields for step in job.steps if step.state == "planned"]
        assert sum(counts.values()) == 10_251
        assert counts[0, "none", "skipped"] == 85
        assert counts[0, "create", "planned"] == len(new) > 10_000
        desk.fill("Accounts", new)
        again = await desk.plan(load)
        assert again.journal.counts() == {
            **{kind: count for kind, count in counts.items() if kind[2] != "planned"},
            (0, "none", "unchanged"): len(new),
        }
        assert [sum(one.calls.values()) for one in (job, again)] == [103, 103]

    @pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
    async def test_the_bundled_organisations(self, tmp_path: Path, profile: ProfileName) -> None:
        """They are created once; with the file planned again, nothing is to be done."""
        with Sandbox(limits=False, profile=profile) as sandbox:
            desk = Desk(tmp_path, sandbox)
            load = accounts(BUNDLED, owner="me", mapping=COLUMNS)
            job = await desk.plan(load)
            new = [step.fields for step in job.steps if step.state == "planned"]
            assert sum(job.calls.values()) == 2 + -(-len(new) // 100)
            async with sandbox.client() as crm:
                for fields in new:
                    await crm.create("Accounts", fields)
            again = await desk.plan(load)
            others = {name: count for name, count in job.numbers.items() if name != "create"}
            assert again.numbers == {**others, "unchanged": len(new)}
            desk.close()


def test_memory_does_not_grow(desk: Desk) -> None:
    """What planning holds after two thousand rows is no more than after one thousand."""
    rows = ({"accountname": f"Org {i}", "phone": str(i)} for i in range(2_000))
    of_planning = tracemalloc.Filter(True, "*/vtiger_async/bulk/*", all_frames=True)
    held: dict[int, int] = {}

    def look(count: int) -> None:
        if count in (1_000, 2_000):
            gc.collect()
            snapshot = tracemalloc.take_snapshot().filter_traces([of_planning])
            held[count] = sum(trace.size for trace in snapshot.statistics("filename"))

    tracemalloc.start(2)
    try:
        anyio.run(partial(desk.plan, accounts(rows), progress=look))
    finally:
        tracemalloc.stop()
    assert held[2_000] < held[1_000] + 20_000
