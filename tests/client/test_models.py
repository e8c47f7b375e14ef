"""The models: in the manual's shapes, and in those measured on Vtiger 8.4."""

from __future__ import annotations

import base64
import copy
import pickle
from typing import Any

import pytest

from vtiger_async import (
    File,
    InvalidResponseError,
    LookupHit,
    Record,
    RecordId,
    RelatedTypes,
    Relation,
    ServiceName,
    User,
)
from vtiger_async.models import structuring
from vtiger_async.models.records import without_secrets

FIELDS = {"id": "4x12", "lastname": "Ada", "label": "Ada &amp; Co", "starred": None, "x_new": 7}


class TestRecord:
    """`Record`."""

    def test_it_is_a_mapping_of_its_fields(self) -> None:
        """Fields are read by name; unknown keys are kept, in the order in which they came."""
        record = Record.of(FIELDS, "Contacts")
        assert dict(record) == FIELDS
        assert list(record) == list(FIELDS)
        assert len(record) == 5
        assert (record["lastname"], record.get("none", "-"), "x_new" in record) == (
            "Ada",
            "-",
            True,
        )
        with pytest.raises(KeyError, match="none"):
            record["none"]

    def test_id_module_and_label_are_at_hand(self) -> None:
        """The id is a RecordId; the label is there where it was sent."""
        record = Record.of(FIELDS, "Contacts")
        assert (record.id, record.module, record.label) == ("4x12", "Contacts", "Ada &amp; Co")
        assert type(record.id) is RecordId
        assert Record.of({"id": "4x12"}).label is None

    def test_the_module_may_come_with_the_record(self) -> None:
        """Where the call does not tell the module, a `_module` in the record does."""
        assert Record.of({"id": "4x12", "_module": "Contacts"}).module == "Contacts"
        assert Record.of({"id": "4x12"}).module is None

    def test_records_are_equal_where_their_fields_are(self) -> None:
        """Two records, or a record and a dict, compare by their fields; equal ones hash alike."""
        one, two = Record.of(FIELDS, "Contacts"), Record.of(dict(FIELDS))
        assert one == two == FIELDS
        assert one != Record.of({"id": "4x12"})
        assert one != "4x12"
        assert len({one, two}) == 1

    def test_its_repr_shows_no_field(self) -> None:
        """Reprs end in logs, and fields are personal data."""
        text = repr(Record.of(FIELDS, "Contacts"))
        assert text == "<Record Contacts 4x12 (5 fields)>"
        assert repr(Record.of({})) == "<Record ? None (0 fields)>"

    def test_it_pickles_and_copies(self) -> None:
        """A record can be sent to another process."""
        record = Record.of(FIELDS, "Contacts")
        for twin in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record)):
            assert (twin, twin.module) == (record, "Contacts")

    @pytest.mark.parametrize("value", [None, [], "4x12", 4])
    def test_what_is_no_record_is_refused(self, value: object) -> None:
        """The error says what came in a record's place."""
        with pytest.raises(InvalidResponseError, match=type(value).__name__):
            Record.of(value, "Contacts")

    @pytest.mark.parametrize("fields", [{}, {"id": None}, {"id": "12"}, {"id": 12}])
    def test_an_id_that_is_none_is_told(self, fields: dict[str, Any]) -> None:
        """The id is read when it is asked for, and a bad one is the server's fault."""
        with pytest.raises(InvalidResponseError, match="which is none"):
            _ = Record.of(fields).id


SECRETS = {
    "accesskey": "s3cr3t-key",
    "user_password": "s3cr3t-1",
    "confirm_password": "s3cr3t-2",
    "user_hash": "s3cr3t-3",
    "crypt_type": "s3cr3t-4",
    "api_token": "s3cr3t-5",
}
NAMES = {
    "id": "19x1",
    "user_name": "ada@example.com",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email1": "ada@example.com",
}


class TestUser:
    """`User`."""

    def test_the_manuals_five_keys_are_read(self) -> None:
        """Id, names and address; whether the user is an administrator is not known then."""
        user = User.of(NAMES)
        assert (user.id, user.module) == ("19x1", "Users")
        assert (user.user_name, user.first_name) == ("ada@example.com", "Ada")
        assert (user.last_name, user.email) == ("Lovelace", "ada@example.com")
        assert user.is_admin is None
        assert "ada@example.com" not in repr(user)

    @pytest.mark.parametrize(
        ("sent", "admin"), [("on", True), ("1", True), (True, True), ("off", False), ("0", False)]
    )
    def test_an_administrator_is_on(self, sent: object, admin: bool) -> None:
        """`is_admin` is "on" on the wire."""
        assert User.of(NAMES | {"is_admin": sent}).is_admin is admin

    def test_missing_names_are_empty(self) -> None:
        """Null or nothing reads as no text."""
        user = User.of({"id": "19x1", "first_name": None})
        assert (user.user_name, user.first_name, user.last_name, user.email) == ("", "", "", "")

    @pytest.mark.parametrize("kind", [User, Record, LookupHit])
    @pytest.mark.parametrize("module", [None, "Users"])
    def test_secrets_are_not_kept(self, kind: type[Record], module: str | None) -> None:
        """Access keys, passwords and hashes are in no repr, key, value, copy or pickle."""
        user = kind.of(NAMES | {"first_name": None} | SECRETS, module)
        shown = repr(user), str(dict(user)), repr(list(user)), repr(user.fields)
        assert "s3cr3t" not in "".join(shown)
        assert b"s3cr3t" not in pickle.dumps(user)
        assert not SECRETS.keys() & set(user)
        assert user["user_name"] == "ada@example.com"

    @pytest.mark.parametrize(
        "name", ["accesskey", "user_password", "confirm_password", "user_hash"]
    )
    def test_one_secret_alone_is_not_kept(self, name: str) -> None:
        """Also where a query selected nothing else."""
        assert dict(Record.of({"id": "19x1", name: "s3cr3t"})) == {"id": "19x1"}

    def test_other_fields_stay(self) -> None:
        """Only what is secret by its name is left out."""
        assert without_secrets({"AccessKey": 1, "title": 2, "Passwords": 3}) == {"title": 2}


CONTENT = "hello file é".encode()


class TestFile:
    """`File`."""

    @pytest.mark.parametrize("size", ["filezie", "filesize"])
    @pytest.mark.parametrize("listed", [False, True])
    def test_both_forms_are_read(self, size: str, listed: bool) -> None:
        """The manual's object with "filezie", and the measured list of one with "filesize"."""
        sent: Any = {
            "fileid": "7x12",
            "filename": "hello.txt",
            "filetype": "text/plain",
            size: len(CONTENT),
            "filecontents": base64.b64encode(CONTENT).decode(),
        }
        file = File.of([sent] if listed else sent)
        assert file == File("7x12", "hello.txt", "text/plain", CONTENT, len(CONTENT))
        assert "hello file" not in repr(file)

    def test_what_is_missing_has_defaults(self) -> None:
        """An empty file without name, type and size is a file."""
        found = File.of({"filecontents": "", "filesize": "²", "filetype": None})
        assert found == File("", "", "application/octet-stream", b"", None)

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (None, "sent none"),
            ([], "sent none"),
            ([{"filecontents": ""}, {"filecontents": ""}], "sent none"),
            ({"filename": "a"}, "sent none"),
            ({"filecontents": None}, "sent none"),
            ({"filecontents": "a"}, "not base64"),
            ({"filecontents": "YWJj!"}, "not base64"),
            ({"filecontents": "ééé"}, "not base64"),
        ],
    )
    def test_what_is_no_file_is_refused(self, value: object, reason: str) -> None:
        """Wrong bytes are never given for a file's."""
        with pytest.raises(InvalidResponseError, match=reason):
            File.of(value)


class TestRelatedTypes:
    """`RelatedTypes`."""

    def test_the_manuals_form_is_keyed_by_module(self) -> None:
        """`isEntity` is a boolean and the label may differ from the key."""
        information = {
            "Calendar": {
                "name": "Calendar",
                "label": "Activities",
                "translated_label": "Activités",
                "isEntity": True,
                "relation_id": 9,
                "actions": "add",
            }
        }
        found = structuring.related_types(
            {"types": ["Calendar"], "information": information}, "Contacts"
        )
        relation = Relation("Activities", "Calendar", "Activités", True, 9, "add")
        assert found == RelatedTypes("Contacts", (relation,))

    def test_the_measured_form_is_keyed_by_label(self) -> None:
        """Types repeat there, `isEntity` is "1", and each label leads to its module."""
        found = structuring.related_types(
            {
                "types": ["Calendar", "Calendar"],
                "information": {
                    "Activities": {"name": "Calendar", "isEntity": "1", "relation_id": "12"},
                    "Activity History": {"name": "Calendar", "isEntity": "0", "relation_id": None},
                },
            },
            "Contacts",
        )
        assert [(r.label, r.module, r.is_entity, r.relation_id) for r in found] == [
            ("Activities", "Calendar", True, 12),
            ("Activity History", "Calendar", False, None),
        ]

    def test_it_is_a_sequence(self) -> None:
        """Relations are counted, taken by place, sliced and found by label."""
        one, two = Relation("Activities", "Calendar"), Relation("Notes", "Documents")
        found = RelatedTypes("Contacts", (one, two))
        assert (len(found), found[0], found[-1], found[1:]) == (2, one, two, (two,))
        assert list(found) == [one, two]
        assert one in found
        assert found.by_label("Notes") is two

    def test_an_unknown_label_is_told_with_those_known(self) -> None:
        """The error lists the labels: they are not always the modules' names."""
        found = RelatedTypes("Contacts", (Relation("Activities", "Calendar"),))
        with pytest.raises(KeyError, match="no relation 'Calendar'; it has Activities"):
            found.by_label("Calendar")

    def test_an_empty_map_of_php_is_a_list(self) -> None:
        """A module without relations has none."""
        empty = structuring.related_types({"types": [], "information": []}, "Faq")
        assert len(empty) == 0


class TestSmallModels:
    """The others."""

    def test_a_dependency_maps_source_to_targets(self) -> None:
        """Each source value has its targets; gaps and nulls are read as nothing."""
        found = structuring.picklist_dependency(
            {
                "sourcefield": "pipeline",
                "targetfield": "sales_stage",
                "valuemapping": [
                    {"sourcevalue": "Standard", "targetvalues": ["Open", "Won"]},
                    {"sourcevalue": "Other", "targetvalues": {"0": "Open", "2": "Lost"}},
                    {"sourcevalue": "None", "targetvalues": None},
                ],
            }
        )
        assert (found.source_field, found.target_field) == ("pipeline", "sales_stage")
        assert found.targets == {
            "Standard": ("Open", "Won"), "Other": ("Open", "Lost"), "None": (),
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("sent", "limit"),
        [
            ({"serviceName": "STORAGE", "limit": "50MB"}, "50MB"),
            ({"edition": "x", "allowed_limit": 10}, 10),
            ({"allowedLimit": 1.5}, 1.5),
            ({"allowed": "Unlimited"}, "Unlimited"),
            ({"value": "7"}, "7"),
            ({"limit": {"a": 1}}, None),
            ({"current": 3}, None),
            ("50MB", "50MB"),
            (None, None),
        ],
    )
    def test_a_limit_is_found_under_any_key(self, sent: Any, limit: object) -> None:
        """The manual's key and those that are seen; everything that was sent is kept."""
        found = structuring.edition_limit(sent, ServiceName.STORAGE)
        assert (found.service, found.limit) == ("STORAGE", limit)
        assert found.raw == (sent if isinstance(sent, dict) else {"limit": sent})

    def test_a_hierarchy_is_a_list_of_nodes(self) -> None:
        """Levels are numbers and flags booleans, however they are written."""
        nodes = structuring.account_nodes(
            [
                {"id": "3x1", "name": "Org", "label": "Org", "level": 0, "current": False},
                {"id": "3x2", "name": "Sub", "label": "Sub | Org", "level": "1", "current": "1"},
                {"id": "3x3", "name": "Bare"},
            ]
        )
        assert [(n.id, n.level, n.current) for n in nodes] == [
            ("3x1", 0, False), ("3x2", 1, True), ("3x3", 0, False),
        ]  # fmt: skip
        assert nodes[1].label == "Sub | Org"
        assert type(nodes[0].id) is RecordId

    def test_the_list_of_modules_keeps_the_servers_order(self) -> None:
        """Names come from `types`; what `information` lacks has defaults."""
        modules = structuring.module_infos(
            {
                "types": ["HelpDesk", "Currency", "New"],
                "information": {
                    "Currency": {"isEntity": False, "label": "Currency", "singular": "Currency"},
                    "HelpDesk": {"isEntity": "1", "label": "Tickets", "singular": "Ticket"},
                },
            }
        )
        assert [(m.name, m.label, m.singular, m.is_entity) for m in modules] == [
            ("HelpDesk", "Tickets", "Ticket", True),
            ("Currency", "Currency", "Currency", False),
            ("New", "", "", True),
        ]

    def test_no_modules_are_an_empty_list(self) -> None:
        """An empty map of PHP arrives as a list."""
        assert structuring.module_infos({"types": [], "information": []}) == []
