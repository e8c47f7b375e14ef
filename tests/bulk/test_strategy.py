"""Write strategies: many records in one call, and still each exactly once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.bulk.jobs import LEADS, account, accounts, job_of, lead, names_in, outcomes, planned
from vtiger_async import ApiError, DuplicateRecordError, MandatoryFieldError
from vtiger_async.bulk.crm import Crm
from vtiger_async.bulk.outcomes import Created, Failed, Unknown
from vtiger_async.bulk.steps import Step
from vtiger_async.models.records import Record
from vtiger_async.sandbox import Call, Fault, Sandbox

pytestmark = pytest.mark.anyio


class Many:
    """Creates up to 20 records by an endpoint of the tenant's own."""

    size = 20

    async def __call__(
        self, crm: Crm, module: str, elements: Sequence[Mapping[str, Any]]
    ) -> Sequence[Record | ApiError]:
        params = {"module": module, "elements": list(elements)}
        answers = await crm.call("POST", "/restapi/vtap/api/many", params)
        return [
            Record.of(one["record"], module)
            if "record" in one
            else (DuplicateRecordError if one["code"] == 0 else MandatoryFieldError)(
                one["message"], code=one["code"]
            )
            for one in answers
        ]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An instance with an endpoint that creates many records."""
    with Sandbox(limits=False, records=0) as made:

        def many(call: Call) -> list[dict[str, Any]]:
            answers: list[dict[str, Any]] = []
            for element in json.loads(str(call.params["elements"])):
                params = {"elementType": str(call.params["module"]), "element": json.dumps(element)}
                try:
                    record = made.engine.execute("create", params, made.engine.users["admin"])
                except Fault as fault:
                    answers.append({"code": fault.code, "message": fault.message})
                else:
                    answers.append({"record": record})
            return answers

        made.route("many", many)
        yield made


async def test_many_rows_go_in_one_call(sandbox: Sandbox, tmp_path: Path) -> None:
    """101 creates take 6 calls of at most 20; a row that is refused is told of alone."""
    steps = accounts(100)
    steps[50].fields.pop("assigned_user_id")
    steps.append(account(101, "Organisation 00001"))
    revise = Step(0, 102, "revise", turn=1, record_id="3x102", fields={"phone": "1"})
    journal = planned(tmp_path / "j", [*steps, revise])
    async with sandbox.client() as crm:
        told = await outcomes(job_of(sandbox, crm, journal, strategy=Many()))
    assert Counter(one.row for one in told) == Counter(range(1, 103))
    failed = [one.row for one in told if isinstance(one, Failed)]
    assert failed == [51]
    assert len(names_in(sandbox)) == 99
    writes = sandbox.ledger()["writes"]
    assert Counter(one["operation"] for one in writes)["create"] == 99
    calls = sandbox.ledger()["calls"]
    assert sum(count for name, count in calls.items() if "many" in name) == 6, calls


@pytest.mark.virtual_time
async def test_a_lost_reply_makes_all_of_the_call_unknown(sandbox: Sandbox, tmp_path: Path) -> None:
    """With a key all are settled by one query, without one all are told as unknown."""
    async with sandbox.client() as crm:
        sandbox.faults.add("commit_then_drop", times=1)
        keyed = planned(tmp_path / "a", accounts(30))
        told = await outcomes(job_of(sandbox, crm, keyed, strategy=Many(), workers=1))
        assert sum(isinstance(one, Created) and one.settled for one in told) == 20
        assert len(names_in(sandbox)) == 30
        sandbox.faults.add("commit_then_drop", times=1)
        keyless = planned(tmp_path / "b", [lead(row) for row in range(1, 31)], [LEADS])
        told = await outcomes(job_of(sandbox, crm, keyless, strategy=Many(), workers=1))
        assert Counter(map(type, told)) == {Unknown: 20, Created: 10}
        assert len(names_in(sandbox, "Leads", "lastname")) == 30


@pytest.mark.virtual_time
async def test_answers_that_do_not_match_are_no_answers(sandbox: Sandbox, tmp_path: Path) -> None:
    """An endpoint that answers for fewer records than it was sent leaves all of them in doubt."""

    class Short(Many):
        async def __call__(
            self, crm: Crm, module: str, elements: Sequence[Mapping[str, Any]]
        ) -> Sequence[Record | ApiError]:
            return (await super().__call__(crm, module, elements))[1:]

    async with sandbox.client() as crm:
        journal = planned(tmp_path / "a", accounts(20))
        told = await outcomes(job_of(sandbox, crm, journal, strategy=Short()))
    assert all(isinstance(one, Created) and one.settled for one in told)
    assert len(names_in(sandbox)) == 20
