"""The map of the code in the docs is about the code that is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "vtiger_async"
MAP = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")


def test_the_map_names_files_that_exist() -> None:
    """Every Python file that the map names is in the package."""
    named = set(re.findall(r"`([\w/]+\.py)`", MAP))
    assert len(named) > 10
    assert not [name for name in named if not (PACKAGE / name).is_file()]


def test_the_map_leaves_nothing_out() -> None:
    """Every module and folder at the top of the package stands on the map."""
    top = {
        path.name
        for path in PACKAGE.iterdir()
        if (path.suffix == ".py" and path.name != "__init__.py") or (path / "__init__.py").is_file()
    }
    assert not [name for name in top if f"`{name}`" not in MAP]
