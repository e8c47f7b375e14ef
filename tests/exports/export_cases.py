"""What the tests of exports share: files read back as cells."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet


def read_back(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of any of the formats, as its own reader gives them."""
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return rows
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return [*csv.DictReader(file)]
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def beside(path: Path) -> list[str]:
    """The names of all files in its folder."""
    return sorted(other.name for other in path.parent.iterdir())
