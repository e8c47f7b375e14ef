"""The profile `oss-8.4` answers as the recorded Vtiger 8.4 did."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import anyio
import pytest

from tests.sandbox.front_calls import http_of
from tests.sandbox.replay import PREFIXES, Replay, is_invented, read_exchanges
from tests.sandbox.replay_world import known_records, prepare
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.clock import HeldClock

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT.parent / "shared" / "vtiger" / "exchanges"
PAGE = ROOT / "docs/explanation/fidelity.md"

_UNPATCHED = (
    "of the tree before it was patched; the profile is the patched one, which all others show"
)

DIFFERING = {
    "create/invoice_unpatched_restapi": _UNPATCHED,
    "query/count_unpatched_restapi": _UNPATCHED,
    "query/count_where_unpatched_restapi": _UNPATCHED,
    "query/count_unpatched_webservice": _UNPATCHED,
    "query/count_where_unpatched_webservice": _UNPATCHED,
}
"""The exchanges that the sandbox answers otherwise, and why."""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the exchanges are not here")


async def replayed() -> tuple[Counter[str], Counter[str], dict[str, str]]:
    """Replay all, and return how many counted, how many agreed, and how the others differ."""
    clock = HeldClock(1_795_300_000)
    counted: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    differing: dict[str, str] = {}
    exchanges = read_exchanges(FOLDER)
    known = known_records(exchanges)
    with Sandbox(profile="oss-8.4", records=0, limits=False, clock=clock) as sandbox:
        async with http_of(sandbox, auth=None) as http:
            replay = Replay(sandbox, clock, http, PREFIXES)
            for exchange in exchanges:
                prepare(replay, exchange, known)
                difference = await replay.differences(exchange)
                if is_invented(exchange):
                    continue
                counted[exchange["operation"]] += 1
                if difference:
                    name = f"{exchange['operation']}/{exchange['name']}"
                    differing[name] = "; ".join(map(str, difference))
                else:
                    agreed[exchange["operation"]] += 1
    return counted, agreed, differing


def _compare_with_page(counted: Counter[str], agreed: Counter[str]) -> None:
    """Check that the page of the docs states these numbers, where it is about these exchanges."""
    rows = [
        f"| {name} | {agreed[name]} | {counted[name]} | {agreed[name] / counted[name]:.1%} |"
        for name in sorted(counted)
    ]
    share = agreed.total() / counted.total()
    rows.append(f"| all | {agreed.total()} | {counted.total()} | {share:.1%} |")
    page = PAGE.read_text(encoding="utf-8")
    if f" | {counted.total()} | " in page:
        expected = "\n".join(rows)
        assert expected in page, f"the table of {PAGE.name} is to be:\n\n{expected}\n"


def test_recorded_exchanges() -> None:
    """The profile oss-8.4 answers at least 95 % of the recorded exchanges as they were recorded."""
    counted, agreed, differing = anyio.run(replayed)
    for operation in sorted(counted):
        sys.stdout.write(f"{operation:24} {agreed[operation]:4} of {counted[operation]}\n")
    share = agreed.total() / counted.total()
    sys.stdout.write(f"{'all':24} {agreed.total():4} of {counted.total()} ({share:.1%})\n")
    _compare_with_page(counted, agreed)
    unlisted = {name: said for name, said in differing.items() if name not in DIFFERING}
    assert unlisted == {}
    assert DIFFERING.keys() == differing.keys()
    assert share >= 0.95
