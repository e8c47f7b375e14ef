"""The sandbox's files: kept with the record they came with, and read back by their own id."""

from __future__ import annotations

import base64

import pytest
from engine_calls import Crm, on_the_cloud

from vtiger_async.sandbox.engine import Upload

DENIED = ("ACCESS_DENIED", "Permission to perform the operation is denied")
DENIED_ID = ("ACCESS_DENIED", "Permission to perform the operation is denied for id")
DENIED_READ = ("ACCESS_DENIED", "Permission to read given object is denied")
DENIED_WRITE = ("ACCESS_DENIED", "Permission to write is denied")
LOW = {"ticketpriorities": "Low"}
BAD_ID = ("INVALID_ID_ATTRIBUTE", "Id specified is incorrect")


@pytest.fixture
def crm(profile: str) -> Crm:
    return Crm(profile=profile)


@on_the_cloud
def test_a_document_keeps_its_file(crm: Crm) -> None:
    """A file sent with create is read back by the id in imageattachmentids."""
    upload = Upload("é.txt", "text/plain", b"Hello \xc3\xa9")
    element = {"notes_title": "Doc", "assigned_user_id": "19x1"}
    record = crm("create", elementType="Documents", element=element, files=[upload])
    assert (record["filename"], record["filetype"], record["filesize"]) == (
        "é.txt",
        "text/plain",
        "8",
    )
    assert (record["filelocationtype"], record["folderid"]) == ("I", "22x1")
    answer = crm("files_retrieve", id=record["imageattachmentids"])
    assert answer == {
        "fileid": record["imageattachmentids"],
        "filename": "é.txt",
        "filetype": "text/plain",
        "filezie": 8,
        "filecontents": base64.b64encode(upload.content).decode(),
    }
    assert crm("retrieve", id=record["id"]) == record
    assert crm.refused("files_retrieve", id=record["id"])[0] == "RECORD_NOT_FOUND"
    assert crm.refused("files_retrieve", id="abc") == BAD_ID


@on_the_cloud
def test_a_contact_keeps_its_images(crm: Crm) -> None:
    """Images are named in imagename; who may not read the contact may not read them."""
    files = [Upload(name, "image/gif", name.encode()) for name in ("a.gif", "b.gif")]
    element = {"lastname": "x", "assigned_user_id": "19x1"}
    record = crm("create", elementType="Contacts", element=element, files=files)
    assert record["imagename"] == "a.gif, b.gif"
    first, second = record["imageattachmentids"].split(",")
    assert crm("files_retrieve", id=second)["filename"] == "b.gif"
    assert crm.refused("files_retrieve", "sales", id=first) == DENIED_READ
    assert crm.refused("files_retrieve", id=first.replace("4x", "7x"))[0] == "RECORD_NOT_FOUND"


def test_a_module_without_files_ignores_them(crm: Crm) -> None:
    """A file sent to Leads leaves no trace."""
    element = {"lastname": "x", "assigned_user_id": "19x1"}
    record = crm("create", elementType="Leads", element=element, files=[Upload("a", "b", b"c")])
    assert "imageattachmentids" not in record
