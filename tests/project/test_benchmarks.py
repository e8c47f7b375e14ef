"""The benchmark runs and prints its table; its figures are read by people, on a quiet machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_overhead_benchmark_prints_its_table() -> None:
    """Both sides send the same content, and each operation has a row for 1, 8 and 32 in flight."""
    command = [sys.executable, "benchmarks/overhead.py", "--rounds", "1", "--calls", "20"]
    run = subprocess.run(
        [*command, "--markdown"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    rows = [line.split("|")[1:3] for line in run.stdout.splitlines()[2:]]
    assert [(operation.strip(), int(in_flight)) for operation, in_flight in rows] == [
        (operation, in_flight)
        for operation in ("create", "retrieve", "page of 100")
        for in_flight in (1, 8, 32)
    ], run.stderr


def test_the_governors_benchmark_prints_its_tables() -> None:
    """With fixed and sliding windows, alone and in company, the governor draws few refusals."""
    run = subprocess.run(
        [
            sys.executable,
            "benchmarks/governor.py",
            "--hours",
            "0.1",
            "--only",
            "governor",
            "--part",
            "controllers",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    rows = [line.split("|") for line in run.stdout.splitlines() if line.startswith("| vtiger")]
    assert len(rows) == 4, run.stderr
    alone = [row for row in rows if row[4].strip() == "-"]
    assert [row[3].strip() for row in alone] == ["0.00%", "0.00%"]
