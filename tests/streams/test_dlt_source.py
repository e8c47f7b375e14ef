"""The source for dlt, run for real into DuckDB."""

from __future__ import annotations

import gc
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from writers import Writers

from vtiger_async import InvalidArgumentError
from vtiger_async.sandbox.server import serving


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A pipeline into a DuckDB file, without telemetry and without the user's own settings."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    import dlt

    return dlt.pipeline(
        "crm",
        pipelines_dir=str(tmp_path / "pipelines"),
        destination=dlt.destinations.duckdb(str(tmp_path / "crm.duckdb")),
        dataset_name="vtiger",
    )


def rows_of(pipeline: Any, statement: str) -> list[tuple[Any, ...]]:
    with pipeline.sql_client() as client, client.execute_query(statement) as cursor:
        return cursor.fetchall()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # an older dlt leaves its loop open
def test_two_loads_leave_what_the_crm_has(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Merged by id, deletes and all; the instance comes from dlt's configuration."""
    from vtiger_async.dlt import vtiger_source

    writers = Writers()
    for _ in range(120):
        writers.create("Contacts")
    writers.engine.store.run(  # so that there are two pages
        "UPDATE Contacts SET modifiedtime = datetime(modifiedtime, (-100000 + n) || ' seconds')", ()
    )
    account = writers.create("Accounts")
    billed, shrunk = writers.invoice(account, 2), writers.invoice(account, 3)
    gone, changed, *_ = writers.alive
    writers.run("revise", element={"id": changed, "birthday": "1990-02-03"})
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(serving(writers.sandbox.app)) as url,
    ):
        name, key = writers.sandbox.credentials()
        for setting, value in (("URL", url), ("USERNAME", name), ("ACCESS_KEY", key)):
            monkeypatch.setenv(f"SOURCES__VTIGER__{setting}", value)

        def load() -> None:
            source = vtiger_source(["Contacts", "Accounts", "Users", "Invoice"])
            pipeline.run(source).raise_on_failed_jobs()

        load()
        first = writers.calls
        ((newest,),) = rows_of(pipeline, "SELECT max(_sequence) FROM contacts")
        found = rows_of(pipeline, "SELECT id, lastname FROM contacts")
        assert dict(found) == {rid: n for rid, n in writers.alive.items() if rid != account}
        assert lines_in(pipeline) == [(billed, 1), (billed, 2), *((shrunk, n) for n in (1, 2, 3))]
        product = rows_of(pipeline, "SELECT productid FROM invoice_line_items")[0][0]
        writers.run("delete", id=billed)
        writers.run("revise", element={"id": shrunk, "LineItems": [writers.line(product, 6)]})
        writers.delete(gone)
        writers.revise(changed)
        late = writers.create("Contacts")
        load()
    gc.collect()
    contacts = {rid: n for rid, n in writers.alive.items() if rid != account}
    assert sorted(rows_of(pipeline, "SELECT id, lastname FROM contacts")) == sorted(
        contacts.items()
    )
    again = rows_of(pipeline, f"SELECT id FROM contacts WHERE _sequence > {newest}")
    assert {rid for (rid,) in again} == {changed, late}
    assert gone not in contacts
    statement = (
        "SELECT birthday, epoch(contacts.createdtime) > 0, annual_revenue, typeof(annual_revenue) "
        f"FROM contacts, accounts WHERE contacts.id = '{changed}'"
    )
    assert rows_of(pipeline, statement) == [(date(1990, 2, 3), True, 0, "DECIMAL(38,9)")]
    users = {name for name, *_ in rows_of(pipeline, "DESCRIBE users")}
    assert "user_name" in users
    assert not users & {"accesskey", "user_password", "user_hash", "crypt_type"}
    assert len(rows_of(pipeline, "SELECT id FROM users")) == len(set(users_of(writers)))
    assert lines_in(pipeline) == [(shrunk, 1)]
    assert rows_of(pipeline, "SELECT quantity, _deleted FROM invoice_line_items") == [(7, False)]
    columns = {name for name, *_ in rows_of(pipeline, "DESCRIBE invoice_line_items")}
    assert "subject" not in columns  # of the documents
    # Users cost a page and one that shows the end; seconds that may not be complete are asked for
    # again, 100 changes a call.
    assert first == {"me": 1, "describe": 4, "query": 2, "retrieve": 2, "sync": first["sync"]}
    syncs = writers.calls["sync"]
    assert writers.calls == {"me": 2, "describe": 8, "query": 4, "retrieve": 3, "sync": syncs}
    assert syncs <= 2 * 5


def lines_in(pipeline: Any) -> list[tuple[Any, ...]]:
    return rows_of(
        pipeline, "SELECT parent_id, position FROM invoice_line_items ORDER BY parent_id, position"
    )


def users_of(writers: Writers) -> list[str]:
    return [row["id"] for row in writers.run("query", query="select id from Users;")]


def test_what_names_no_modules_is_refused() -> None:
    """A name that cannot be one, none at all, and a text in place of a list are errors."""
    from vtiger_async.dlt import vtiger_source

    for modules in ("Contacts", [], ["contacts"], ["Con tacts"]):
        with pytest.raises(InvalidArgumentError):
            vtiger_source(modules, "http://localhost", "jo", "key")


def test_without_the_extra_the_error_names_it() -> None:
    """Where dlt is missing, the message says what to install."""
    code = "import sys; sys.modules['dlt'] = None; import vtiger_async.dlt"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "vtiger-async[dlt]" in result.stderr.splitlines()[-1]
