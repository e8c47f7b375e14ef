"""The page on the sandbox's fidelity says what the table in the code says."""

from __future__ import annotations

import re
from pathlib import Path

from vtiger_async.sandbox.fidelity import FIDELITY, Fidelity
from vtiger_async.sandbox.profiles import PROFILES
from vtiger_async.wire.operations import OPERATIONS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/explanation/fidelity.md").read_text(encoding="utf-8")
HEAD = ("| what | `cloud` | `oss-8.4` | remark |", "| --- | --- | --- | --- |")


def row(fidelity: Fidelity) -> str:
    """Return the line of the page that stands for one row of the table."""
    name = f"`{fidelity.part}`" if fidelity.part in OPERATIONS else fidelity.part
    cells = (name, fidelity.cloud, fidelity.oss_8_4, fidelity.remark)
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def test_every_operation_has_its_evidence() -> None:
    """Each operation of the manuals has one row, in the manuals' order, before all else."""
    parts = [fidelity.part for fidelity in FIDELITY]
    assert parts[: len(OPERATIONS)] == list(OPERATIONS)
    assert len(set(parts)) == len(parts)


def test_sessions_quota_and_faults_have_theirs() -> None:
    """What a server does beside operations has rows too."""
    rest = " ".join(fidelity.part for fidelity in FIDELITY[len(OPERATIONS) :])
    for word in ("webservice.php", "quota headers", "refusal", "faults", "API Designer"):
        assert word in rest


def test_what_a_profile_refuses_is_not_there() -> None:
    """An operation is told as not there exactly where the profile refuses it."""
    for name in OPERATIONS:
        fidelity = next(item for item in FIDELITY if item.part == name)
        for profile, evidence in (("cloud", fidelity.cloud), ("oss-8.4", fidelity.oss_8_4)):
            traits = next(item for item in PROFILES.values() if item.name == profile)
            assert (name.lower() in traits.unsupported) == (evidence == "not there"), name


def test_nothing_of_the_cloud_is_measured() -> None:
    """No row claims that the Cloud was measured: no recording of it is at hand."""
    assert "measured" not in {fidelity.cloud for fidelity in FIDELITY}


def test_the_page_holds_the_table() -> None:
    """The page shows the table of the code, row by row."""
    expected = "\n".join([*HEAD, *map(row, FIDELITY)])
    assert expected in PAGE, f"the table is to be:\n\n{expected}\n"


def test_the_shares_add_up() -> None:
    """The last row of the shares is the sum of those above it, and each share fits its counts."""
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \| ([\d.]+)% \|$", PAGE, re.MULTILINE)
    counts = [(name, int(agree), int(of)) for name, agree, of, _ in rows]
    *each, (last, agreed, counted) = counts
    assert last == "all"
    assert (agreed, counted) == (sum(a for _, a, _ in each), sum(c for _, _, c in each))
    for (_, agree, of), (*_, share) in zip(counts, rows, strict=True):
        assert f"{agree / of:.1%}" == f"{share}%"
