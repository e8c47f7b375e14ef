"""The sandbox's engine as a whole: users, seeds, files, the ledger, and undoing."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from engine_calls import Crm

from vtiger_async.errors import ConfigurationError
from vtiger_async.sandbox.clock import HeldClock
from vtiger_async.sandbox.engine import OPERATION_NAMES, Engine, Fault
from vtiger_async.sandbox.folding import fold
from vtiger_async.sandbox.schema import SCHEMA, load_schema
from vtiger_async.sandbox.schema_picklists import PICKLISTS
from vtiger_async.sandbox.seed_rows import account_name
from vtiger_async.wire.operations import OPERATIONS

SEED_0 = "33cb9920fa2a7ec3fbd49f7df4d9455a0022704dc4f272fac23082b3031ef1a7"


def everything(crm: Crm, name: str) -> dict[str, dict[str, Any]]:
    """All records of a module by id."""
    records: dict[str, dict[str, Any]] = {}
    last = "0x0"
    stored = ",".join(f.name for f in SCHEMA.modules[name].stored if "secret" not in f.flags)
    while rows := crm.query(f"select {stored},id from {name} where id > '{last}' order by id;"):
        records |= {row["id"]: row for row in rows}
        last = rows[-1]["id"]
    return records


def dump(crm: Crm) -> str:
    """A digest of all records of all modules."""
    digest = hashlib.sha256()
    for name in SCHEMA.modules:
        digest.update(json.dumps(list(everything(crm, name).values()), sort_keys=True).encode())
    return digest.hexdigest()


def test_users_log_in_with_their_keys() -> None:
    """Names ignore case, keys do not; an inactive user and a stranger are nobody."""
    engine = Crm(access_key="the-key").engine
    assert engine.authenticate("ADMIN", "the-key") is engine.users["admin"]
    sales = engine.users["sales"]
    assert engine.authenticate("sales", sales.access_key) is sales
    assert engine.authenticate("sales", sales.access_key.upper() + "x") is None
    assert engine.authenticate("inactive", engine.users["inactive"].access_key) is None
    assert engine.authenticate("nobody", "x") is None


def test_keys_do_not_show_in_a_repr() -> None:
    """A user's repr leaves the access key out."""
    user = Crm().engine.users["admin"]
    assert user.access_key not in repr(user)


def test_every_operation_of_the_table_is_known() -> None:
    """No operation of the manuals is unknown, and others are."""
    crm = Crm()
    assert {name.lower() for name in OPERATIONS} <= set(OPERATION_NAMES)
    for name in OPERATIONS:
        with suppress(Fault):
            crm(name)
    answer = ("UNKNOWN_OPERATION", "Unknown operation requested")
    assert crm.refused("nosuchop") == answer
    assert crm("LISTTYPES") == crm("listtypes")


def test_the_last_of_a_repeated_parameter_counts() -> None:
    """As in PHP; an empty list counts as nothing."""
    engine = Crm().engine
    admin = engine.users["admin"]
    answer = engine.execute("describe", {"elementType": ["Leads", "Contacts"]}, admin)
    assert isinstance(answer, dict)
    assert answer["name"] == "Contacts"
    assert engine.execute("listtypes", {"fieldTypeList": []}, admin)
    with pytest.raises(Fault, match="denied"):
        engine.execute("describe", {"elementType": []}, admin)


def test_the_seed_is_the_same_for_every_run() -> None:
    """The digest of all standard records is known; another seed gives others."""
    assert dump(Crm(records=None)) == SEED_0
    assert dump(Crm(records=None, seed=1)) != SEED_0


def test_the_seed_holds_what_it_promises() -> None:
    """A few hundred of each main module, near-duplicates, unicode, trees, files and pairs."""
    crm = Crm(records=None)
    for module, count in (("Accounts", 300), ("Contacts", 400), ("Invoice", 90)):
        assert crm.query(f"select count(*) from {module};") == [{"count": str(count)}]
    assert len(crm.query("select id from Contacts where email = 'renee@example.com';")) == 20
    assert len(crm.query("select id from Accounts where accountname like 'The %';")) > 3
    assert crm.query("select id from Accounts where accountname like '東京%' limit 1;")
    child = crm.values("select id from Accounts where account_id > '3x0';", "id")[0]
    assert len(crm("get_account_hierarchy", id=child)) > 1
    document = crm.values("select id from Documents where filename like 'note%' order by id;", "id")
    files = crm("retrieve", id=document[0])["imageattachmentids"]
    assert crm("files_retrieve", id=files)["filecontents"]
    contact = crm.values("select id from Contacts where imagename = 'face.gif';", "id")[0]
    image = crm("files_retrieve", id=crm("retrieve", id=contact)["imageattachmentids"])
    assert image["filetype"] == "image/gif"
    campaign = crm.values("select id from Campaigns order by id limit 1;", "id")[0]
    pairs = {"id": campaign, "relatedLabel": "Contacts", "relatedType": "Contacts"}
    assert len(crm("retrieve_related", **pairs)) > 50
    assert crm("tags_retrieve", id=contact)["tags"] == ["vip"]


def test_the_seed_keeps_to_its_own_schema() -> None:
    """Mandatory fields are filled, references lead somewhere, picklist values are in the list."""
    crm = Crm(records=None)
    known = {name: set(everything(crm, name)) for name in SCHEMA.modules}
    for name, module in SCHEMA.modules.items():
        if not module.is_entity or name == "Users":
            continue
        for record in everything(crm, name).values():
            for item in module.stored:
                value = record[item.name]
                assert value or not item.mandatory, (name, item.name)
                if value and item.type == "reference":
                    assert any(value in known[target] for target in item.refers_to), (
                        name,
                        item.name,
                    )
                if value and item.type in ("picklist", "radio") and name != "Calendar":
                    assert value in PICKLISTS[item.name], (name, item.name, value)


@pytest.mark.parametrize("records", [1, 10, 1234])
def test_a_number_of_records_is_kept_exactly(records: int) -> None:
    """`records=N` derives N records in all, shared among the modules as in the standard."""
    crm = Crm(records=records)
    entities = [m.name for m in SCHEMA.modules.values() if m.is_entity and m.name != "Users"]
    counts = [int(crm.query(f"select count(*) from {name};")[0]["count"]) for name in entities]
    assert sum(counts) == records


def test_names_of_organisations_never_repeat() -> None:
    """However many are derived, no two are the same to the database."""
    names = {fold(account_name(place)) for place in range(20_000)}
    assert len(names) == 20_000


def test_an_empty_sandbox_has_users_and_folders() -> None:
    """`populate=False` leaves users, groups, currencies, taxes and folders."""
    crm = Crm(populate=False, records=50)
    assert crm.query("select count(*) from Accounts;") == [{"count": "0"}]
    assert len(crm.query("select id from Users;")) == 4
    folders = crm.values("select foldername from DocumentFolders order by id;", "foldername")
    assert folders == ["Default", "Verträge"]


def test_two_engines_share_nothing() -> None:
    """They start alike, and part."""
    one, other = Crm(records=None), Crm(records=None)
    one.create("Leads", lastname="only here")
    assert other.query("select id from Leads where lastname = 'only here';") == []


def test_a_file_keeps_everything(tmp_path: Path) -> None:
    """An existing file is opened as it is, with its seed, its numbers and its ledger."""
    path = tmp_path / "crm.sqlite"
    crm = Crm(store=path, seed=7, records=30)
    lead = crm.create("Leads", lastname="kept")
    key, ledger = crm.engine.users["sales"].access_key, crm.engine.ledger()
    crm.engine.close()
    again = Crm(store=str(path), seed=8, records=999)
    assert again("retrieve", id=lead["id"]) == lead
    assert again.engine.users["sales"].access_key == key
    assert again.engine.ledger() == ledger
    later = again.create("Leads", lastname="later")
    assert int(later["id"][2:]) == int(lead["id"][2:]) + 1
    assert int(later["lead_no"][3:]) == int(lead["lead_no"][3:]) + 1
    again.engine.close()


def test_reset_goes_back_to_the_seed(tmp_path: Path) -> None:
    """In memory and in a file: the records are those of the seed, and the ledger is empty."""
    for store in (None, tmp_path / "crm.sqlite"):
        crm = Crm(store=store, records=60)
        before = dump(crm)
        crm.create("Leads", lastname="x")
        assert dump(crm) != before
        crm.engine.reset()
        assert dump(crm) == before
        assert crm.engine.ledger() == []
        crm.engine.close()


def test_the_ledger_tells_every_committed_write() -> None:
    """Operation, module, id and time of what happened, in order; refusals and reads leave none."""
    crm = Crm()
    lead = crm.create("Leads", lastname="x")["id"]
    crm.refused("create", elementType="Leads", element={})
    crm("retrieve", id=lead)
    crm.clock.now += 1.5
    crm("delete", id=lead)
    assert crm.engine.ledger() == [
        {"operation": "create", "module": "Leads", "id": lead, "time": crm.clock.now - 1.5},
        {"operation": "delete", "module": "Leads", "id": lead, "time": crm.clock.now},
    ]


def test_a_refused_write_is_undone() -> None:
    """What a write did before it failed is not there afterwards."""
    crm = Crm()
    element = {"fieldname": "leadsource", "values": ["New", "Other"]}
    assert crm.refused("add_picklist", elementType="Leads", element=element)[0] == "DUPLICATE"
    fields = crm("describe", elementType="Leads")["fields"]
    listed = next(f for f in fields if f["name"] == "leadsource")["type"]["picklistValues"]
    assert "New" not in [value["value"] for value in listed]


def test_writes_of_many_threads_are_all_kept() -> None:
    """Parallel revises of different fields of one record: none is lost."""
    crm = Crm()
    lead = crm.create("Leads", lastname="x")["id"]
    names = ["phone", "mobile", "company", "city", "state", "country", "code", "pobox"]
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(crm, "revise", element={"id": lead, name: name}) for name in names]
        assert len([future.result() for future in done]) == 8
    record = crm("retrieve", id=lead)
    assert [record[name] for name in names] == names


def test_times_are_whole_seconds() -> None:
    """A fraction of a second is cut; a clock before 1970 counts as its start."""
    crm = Crm()
    crm.clock.now += 0.99
    assert crm.create("Leads", lastname="x")["createdtime"] == "2027-01-15 08:00:00"
    crm.clock.now = -5.0
    assert crm.create("Leads", lastname="y")["createdtime"] == "1970-01-01 00:00:00"


def test_the_edition_must_be_known() -> None:
    """An unknown edition is refused when the engine is made."""
    with pytest.raises(ConfigurationError, match="unknown edition"):
        Engine(clock=HeldClock(), edition="no such")


def test_a_field_that_cannot_be_read_is_a_mistake_of_ours() -> None:
    """The text of the schema is checked when it is read."""
    with pytest.raises(ValueError, match="not a field: 'nonsense'"):
        load_schema("[X] 99 | X | X | |\nnonsense")
