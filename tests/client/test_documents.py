"""Files: what goes up comes down, by the id of the record, and is attached in truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from over_http import calls, exercises, plant

from vtiger_async import (
    AccessDeniedError,
    InvalidArgumentError,
    InvalidIdError,
    RecordNotFoundError,
    SilentChangeError,
    ValidationError,
    VtigerClient,
)
from vtiger_async.models import metadata
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import PROFILES

pytestmark = pytest.mark.anyio

both_profiles = pytest.mark.parametrize("profile", PROFILES)
OWNER = {"assigned_user_id": "19x1"}


@exercises("create", "retrieve", "files_retrieve", "add_related", "query_related")
async def test_files_over_http(sandbox: Sandbox, crm: VtigerClient) -> None:
    """A file is uploaded, attached and downloaded over real HTTP."""
    account = plant(sandbox, "Accounts", accountname="Acme")
    content = bytes(range(256)) * 300
    document = await crm.attach_document(account, content, name="größe & 色.pdf")
    file = await crm.download_document(document)
    assert (file.content, file.name, file.content_type) == (
        content,
        "größe & 色.pdf",
        "application/pdf",
    )
    contact = {"lastname": "Ada", **OWNER}
    made = await crm.create_with_images("Contacts", contact, {"a.png": b"A", "b.gif": b"B"})
    images = await crm.download_files(made.id)
    assert [(image.name, image.content) for image in images] == [("a.png", b"A"), ("b.gif", b"B")]
    assert [image.content_type for image in images] == ["image/png", "image/gif"]


@both_profiles
async def test_a_document_is_downloaded_by_its_own_id(profile: Any) -> None:
    """The file's id is found in the document; a note and a link have none, which is said."""
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client() as crm:
            made = await crm.upload_document(b"hello", OWNER, name="h.txt")
            before = calls(sandbox)
            file = await crm.download_document(made.id)
            assert (file.name, file.content, file.size) == ("h.txt", b"hello", 5)
            assert calls(sandbox) == before + 2
            assert [f.content for f in await crm.download_files(made.id)] == [b"hello"]
            note = plant(sandbox, "Documents", notes_title="Note")
            with pytest.raises(RecordNotFoundError, match="holds no file: it is a note"):
                await crm.download_document(note)
            link = {"filelocationtype": "E", "filename": "https://x.example/f.pdf"}
            external = plant(sandbox, "Documents", notes_title="Link", **link)
            with pytest.raises(RecordNotFoundError, match=r"a link to https://x\.example/f\.pdf"):
                await crm.download_document(external)
            assert await crm.download_files(note) == []
            with pytest.raises(AccessDeniedError):
                await crm.download_document(f"{note.prefix}x99999")


@both_profiles
async def test_the_wrong_id_is_explained(profile: Any) -> None:
    """`files_retrieve` with a document's id says which id it wants, and what takes the other."""
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client() as crm:
            made = await crm.upload_document(b"hello", OWNER, name="h.txt")
            with pytest.raises(RecordNotFoundError, match=r"imageattachmentids; .* download_files"):
                await crm.files_retrieve(made.id)


@both_profiles
async def test_a_document_is_attached(profile: Any, tmp_path: Path) -> None:
    """One that exists, bytes, and a path; the relation is read back."""
    path = tmp_path / "offer.pdf"
    path.write_bytes(b"offer")
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client() as crm:
            contact = plant(sandbox, "Contacts", lastname="Ada")
            made = await crm.upload_document(b"x", OWNER, name="x.txt")
            assert await crm.attach_document(contact, made.id) == made.id
            by_path = await crm.attach_document(contact, path, {"notes_title": "Offer"})
            by_bytes = await crm.attach_document(contact, b"y", OWNER, name="y", content_type="a/b")
            found = await crm.retrieve_related(contact, "Documents", "Documents").all()
            assert {row.id for row in found} == {made.id, by_path, by_bytes}
            whole = await crm.retrieve(by_path)
            assert (whole["notes_title"], whole["assigned_user_id"]) == ("Offer", "19x1")
            assert (await crm.download_document(by_bytes)).content_type == "a/b"


async def test_what_cannot_be_attached_is_refused() -> None:
    """Fields for a document that exists, another record, a text that is no id, bytes unnamed."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            contact = plant(sandbox, "Contacts", lastname="Ada")
            with pytest.raises(InvalidArgumentError, match="are those of a new document"):
                await crm.attach_document(contact, "7x1", OWNER)
            with pytest.raises(InvalidIdError):
                await crm.attach_document(contact, "offer.pdf")
            with pytest.raises(InvalidArgumentError, match="bytes need a name="):
                await crm.attach_document(contact, b"x", OWNER)
            assert calls(sandbox) == 0
            with pytest.raises(InvalidArgumentError, match="is no document, but of another mod"):
                await crm.attach_document(contact, contact)
            await crm.describe("Contacts")
            with pytest.raises(InvalidArgumentError, match="is no document, but of Contacts"):
                await crm.attach_document(contact, contact)


async def test_an_upload_that_was_not_attached_is_named() -> None:
    """The document is there: the error has its id, to go on with."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            gone = plant(sandbox, "Contacts", lastname="Ada").prefix + "x99999"
            with pytest.raises(Exception, match=r"the document \d+x\d+ was uploaded") as caught:
                await crm.attach_document(gone, b"x", OWNER, name="x.txt")
            found = await crm.query("select id from Documents where notes_title = 'x.txt';").all()
            assert found[0].id in str(caught.value)


async def test_success_without_a_relation_is_an_error() -> None:
    """Who may only read is answered with success, and nothing is attached."""
    with Sandbox(limits=False) as sandbox:
        contact = plant(sandbox, "Contacts", lastname="Ada")
        document = plant(sandbox, "Documents", notes_title="D")
        async with sandbox.client("guest") as guest:
            with pytest.raises(SilentChangeError, match="is not related"):
                await guest.attach_document(contact, document)


@both_profiles
async def test_images_go_with_a_create(profile: Any, tmp_path: Path) -> None:
    """By path or as bytes; one at least."""
    path = tmp_path / "p.png"
    path.write_bytes(b"PNG")
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client() as crm:
            product = {"productname": "Wheel", **OWNER}
            made = await crm.create_with_images("Products", product, [path])
            (image,) = await crm.download_files(made.id)
            assert (image.name, image.content, image.content_type) == ("p.png", b"PNG", "image/png")
            before = calls(sandbox)
            for none in ({}, [], {"": b"x"}):
                with pytest.raises(InvalidArgumentError, match="at least one"):
                    await crm.create_with_images("Products", product, none)  # type: ignore[arg-type]  # a union of several types
            await crm.describe("Leads")
            with pytest.raises(ValidationError, match="Leads has no field for such files"):
                await crm.create_with_images("Leads", {"lastname": "x"}, [path])
            assert calls(sandbox) == before + 1


async def test_a_file_that_is_too_large_is_refused() -> None:
    """Where the description is kept, its limit is known before the bytes are sent."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            described = await crm.describe("Documents")
            name = described.fields["filename"]
            kind = {**name.raw, "type": {"name": "file", "maxUploadFileSize": 4}}
            small = metadata.Field("filename", "File", metadata.FieldType("file"), raw=kind)
            fields = {**described.fields, "filename": small}
            kept = metadata.Module("Documents", "Documents", described.id_prefix, fields)
            crm._core.keep("Documents", kept)
            with pytest.raises(ValidationError, match="5 bytes, where the instance takes 4"):
                await crm.upload_document(b"12345", OWNER, name="x")
            await crm.upload_document(b"1234", OWNER, name="x")
            blind = crm.with_options(validate=False)
            assert (await blind.upload_document(b"12345", OWNER, name="x")).id
