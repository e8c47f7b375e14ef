"""What is exported can be imported: the values come back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtiger_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_an_import_of_an_export_changes_nothing(tmp_path: Path, form: str) -> None:
    """A plan for the same records finds every one of them unchanged, whatever its fields are."""
    path = tmp_path / f"accounts.{form}"
    async with Sandbox(limits=False, records=60).client() as crm:
        module = await crm.describe("Accounts")
        names = [name for name, known in module.fields.items() if known.editable and name != "id"]
        report = await crm.export(f"SELECT {', '.join(names)} FROM Accounts;", path)
        plan = await crm.bulk.plan(
            path, module="Accounts", key="accountname", journal=tmp_path / "journal"
        )
    kinds = {module.fields[name].type.name for name in names}
    assert {"boolean", "currency", "date", "integer", "multipicklist", "reference"} <= kinds
    assert report.records > 0
    assert (plan.unchanged, plan.rows) == (report.records, report.records)
