"""A recording has no secrets and no persons: each word of theirs is replaced."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import BASE, CONTACTS, KEY, PERSON, WORDS, got, recorded, results, sent

from vtiger_async.recording import Recorder, read_recording
from vtiger_async.recording.pseudonyms import Pseudonyms
from vtiger_async.recording.statements import with_literals
from vtiger_async.transport.http import Outgoing
from vtiger_async.wire.decode import Answer
from vtiger_async.wire.encode import FilePart


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a recording is written."""
    return tmp_path / "exchanges.json"


def test_persons_are_not_in_the_file(path: Path) -> None:
    """No word of a personal value stands in the file, wherever the server repeated it."""
    person = PERSON | {"id": "4x12", "label": "Wilhelmina Gr&auml;fenstein"}
    literal = "SELECT * FROM Contacts WHERE lastname = 'Gräfenstein' AND phone LIKE '%778899';"
    recorded(
        path,
        (sent("describe", elementType="Contacts"), got(CONTACTS)),
        (sent("create", elementType="Contacts", element=PERSON), got(person)),
        (sent("query", query=literal), got([person])),
        (sent("lookup", type="email", value=PERSON["email"]), got([person])),
        (sent("tags_add", id="4x12", tags=["Riesling"]), got({"message": "successfull"})),
        (sent("tags_retrieve", id="4x12"), got({"tags": ["Riesling"]})),
        (
            sent("create", elementType="Contacts", element=PERSON),
            got(error={"code": 0, "message": "Gräfenstein exists already"}, status=400),
        ),
        (sent("retrieve", id="4x12"), Answer(500, "", {}, b"<p>Wilhelmina: SQL error</p>")),
        (
            Outgoing("GET", BASE.replace("v1/vtiger/default/", "vtap/api/people/Wilhelmina")),
            Answer(200, "OK", {}, json.dumps({"who": "Wilhelmina", "tel": 6221778899}).encode()),
        ),
        (
            Outgoing(
                "POST",
                BASE + "create",
                files=(FilePart("filename", "Gräfenstein.pdf", "application/pdf", b"Heidelberg"),),
                fields={"elementType": "Documents", "element": '{"notes_title":"Wilhelmina"}'},
            ),
            got({"id": "7x5", "notes_title": "Wilhelmina"}),
        ),
        (
            sent("files_retrieve", id="7x5"),
            got([{"filename": "Gräfenstein.pdf", "filecontents": "SGVpZGVsYmVyZw=="}]),
        ),
    )
    text = path.read_text("utf-8").casefold()
    assert [word for word in WORDS if word in text] == []
    assert "sgvpzgvsymvyzw" not in text
    assert "acme-instance" not in text


def test_what_says_nothing_of_anybody_is_kept(path: Path) -> None:
    """Ids, times, numbers, booleans, auto numbers and listed values are kept as they were."""
    kept = {
        "id": "4x12",
        "account_id": "3x9",
        "assigned_user_id": "19x1",
        "createdtime": "2026-01-02 03:04:05",
        "leadsource": "Cold Call",
        "contact_no": "CON42",
        "portal": "1",
        "annual": "1250.50000000",
        "source": "WEBSERVICE",
    }
    recording = recorded(
        path,
        (sent("describe", elementType="Contacts"), got(CONTACTS)),
        (sent("retrieve", id="4x12"), got(kept)),
    )
    assert results(recording)[1] == kept
    assert recording["exchanges"][1]["request"]["params"] == {"id": "4x12"}


def test_a_value_without_the_form_of_its_type_is_not_kept(path: Path) -> None:
    """Text in a number, an unlisted value and a name as an owner are personal like any other."""
    wrong = {
        "id": "4x12",
        "annual": "Wilhelmina",
        "leadsource": "Heidelberg",
        "assigned_user_id": "Riesling",
        "createdtime": "Brezeln",
    }
    recorded(
        path,
        (sent("describe", elementType="Contacts"), got(CONTACTS)),
        (sent("retrieve", id="4x12"), got(wrong)),
    )
    text = path.read_text("utf-8").casefold()
    assert [word for word in WORDS if word in text] == []


def test_a_module_without_description_is_scrubbed_whole(path: Path) -> None:
    """Without a description only ids, times, 0 and 1 are kept; the recorder names the module."""
    recorder = Recorder(path)
    observe = recorder.observer("ada", KEY)
    row = {"id": "9x1", "portal": "1", "leadsource": "Heidelberg", "when": "2026-01-02", "n": "42"}
    observe(sent("query", query="SELECT * FROM Secrets;"), got([row]))
    assert recorder.undescribed() == ["Secrets"]
    recorder.save()
    (found,) = results(read_recording(path))[0]
    assert {name: found[name] for name in ("id", "portal", "when")} == {
        "id": "9x1",
        "portal": "1",
        "when": "2026-01-02",
    }
    assert re.fullmatch("[A-Z][a-z]{9}", found["leadsource"])
    assert found["leadsource"] != "Heidelberg"
    assert re.fullmatch("[0-9]{2}", found["n"])
    assert found["n"] != "42"


def test_names_of_users_are_scrubbed_in_metadata(path: Path) -> None:
    """Owners, and users whose names stand in a picklist, get pseudonyms; other values do not."""
    me = {
        "id": "19x1",
        "user_name": "ada.private@example.com",
        "first_name": "Ada",
        "last_name": "Private",
        "accesskey": KEY,
        "is_admin": "on",
    }
    recording = recorded(
        path, (sent("me"), got(me)), (sent("describe", elementType="Contacts"), got(CONTACTS))
    )
    (user, facts), *others = recording["users"].items()
    assert (others, facts) == ([], {"id": "19x1", "admin": True})
    told, described = results(recording)
    assert told["user_name"] == user == recording["exchanges"][0]["request"]["user"]
    fields = {item["name"]: item["type"] for item in described["fields"]}
    reps = [value["value"] for value in fields["salesrep"]["picklistValues"]]
    assert reps == [f"{told['first_name']} {told['last_name']}", "Nobody"]
    text = path.read_text("utf-8").casefold()
    assert not [word for word in ("private", "wilhelmina", "gräfenstein") if word in text]


def test_no_secret_is_in_the_file(path: Path) -> None:
    """Keys, passwords, tokens and names of sessions are replaced, also in unexpected places."""
    token = base64.b64encode(f"ada.private@example.com:{KEY}".encode()).decode()
    answered = {
        "sessionName": "5e55i0n",
        "token": "t0k3n",
        "user_password": "h4sh",
        "userId": "1x1",
    }
    login = Outgoing(
        "POST",
        "https://x.example/webservice.php",
        f"operation=login&username=ada&accessKey={KEY}".encode(),
    )
    recording = recorded(
        path,
        (login, got(answered)),
        (
            Outgoing("GET", "https://x.example/webservice.php?operation=me&sessionName=5e55i0n"),
            Answer(200, "OK", {}, f"<p>Warning: Authorization Basic {token} {KEY}</p>".encode()),
        ),
    )
    text = path.read_text("utf-8")
    secrets = (KEY, token, "5e55i0n", "t0k3n", "h4sh")
    assert not [secret for secret in secrets if secret in text]
    assert results(recording)[0]["sessionName"] == "SESSION"
    assert [exchange["operation"] for exchange in recording["exchanges"]] == ["login", "me"]
    assert KEY not in repr(Recorder(path))


def test_equal_values_stay_equal(path: Path) -> None:
    """A literal finds the record still, with LIKE too, and a label is made of the same words."""
    person = {"id": "4x12", "lastname": "Gräfenstein", "label": "Gr&auml;fenstein"}
    recording = recorded(
        path,
        (sent("describe", elementType="Contacts"), got(CONTACTS)),
        (sent("query", query="SELECT * FROM Contacts WHERE lastname = 'GRÄFENSTEIN';"), got([])),
        (sent("query", query="SELECT * FROM Contacts WHERE lastname LIKE 'gräf%';"), got([])),
        (sent("retrieve", id="4x12"), got(person)),
    )
    equal, like = (e["request"]["params"]["query"] for e in recording["exchanges"][1:3])
    found = results(recording)[3]
    name = found["lastname"]
    assert f"'{name.upper()}'" in equal
    start = re.search("LIKE '(.*)%'", like)
    assert start is not None
    assert name.casefold().startswith(start[1])
    assert len(name) == len("Gräfenstein")
    assert found["label"].replace("&auml;", "ä") == name or "&" in found["label"]


LETTERS = "abcdefghijklmnopqrstuvwxyzäéøжя0123456789"
WORD = st.text(LETTERS, min_size=5, max_size=12).map("q7{}".format)  # no word of the form itself


@settings(max_examples=40, deadline=None)
@given(
    words=st.lists(WORD, min_size=1, max_size=5),
    name=st.sampled_from(["firstname", "email", "phone", "description", "unknown", "leadsource"]),
    between=st.sampled_from([" ", "@", ".", "-", ", ", "'", "\\", "%", "&", "<", "\n"]),
)
def test_no_word_survives(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], name: str, between: str
) -> None:
    """Whatever is in a personal field, none of its words is in the file."""
    value = between.join(words)
    literal = value.replace("\\", "\\\\").replace("'", "''")
    recording = tmp_path_factory.mktemp("property") / "exchanges.json"
    recorded(
        recording,
        (sent("describe", elementType="Contacts"), got(CONTACTS)),
        (sent("create", elementType="Contacts", element={name: value}), got({name: value})),
        (
            sent("query", query=f"SELECT * FROM Contacts WHERE {name} LIKE '{literal}%';"),
            got([{"id": "4x1", name: value, "label": value}]),
        ),
        (sent("lookup", type="email", value=value), got([value])),
        (sent("me"), got(error={"code": "X", "message": f"{value} is wrong"}, status=400)),
    )
    text = unicodedata.normalize("NFC", recording.read_text("utf-8")).casefold()
    assert not [word for word in words if word in text]


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=40))
def test_a_pseudonym_has_the_shape_of_the_text(text: str) -> None:
    """A pseudonym is as long, has digits for digits and letters for letters, and keeps the rest."""
    pseudonyms = Pseudonyms()
    plain = text.replace("&", "").replace("<", "")
    drawn = pseudonyms.text(plain)
    assert pseudonyms.text(plain) == drawn
    assert len(drawn) == len(plain)
    for ours, theirs in zip(plain, drawn, strict=True):
        assert ours.isalnum() == theirs.isalnum()
        if not ours.isalnum():
            assert ours == theirs
        if ours in "0123456789":
            assert theirs in "0123456789"
            assert ours != theirs
        if ours.isascii() and ours.isalpha():
            assert ours.isupper() == theirs.isupper()


def test_different_words_get_different_pseudonyms() -> None:
    """Two words do not become one, so that no record finds another's value."""
    pseudonyms = Pseudonyms()
    words = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    assert len({pseudonyms.word(word) for word in words}) == len(words)


@settings(max_examples=100, deadline=None)
@given(text=st.text("sSfrom =<>'\"\\%()andlike,in1 ", max_size=60))
def test_a_statement_that_is_left_alone_stays_as_it_is(text: str) -> None:
    """Replacing each literal by itself gives the statement back, however wrong it is."""
    assert with_literals(text, lambda _, literal: literal) == text


def test_literals_know_their_fields() -> None:
    """Each literal is handed out with the field that it is compared with."""
    found: list[tuple[str, str]] = []

    def note(name: str, literal: str) -> str:
        found.append((name, literal))
        return literal

    with_literals(
        "SELECT a FROM M WHERE b = 'it''s' AND c IN ('x', y) OR d LIKE '%z' ORDER BY e LIMIT 5;",
        note,
    )
    assert found == [("b", "it''s"), ("c", "x"), ("c", "y"), ("d", "%z")]
