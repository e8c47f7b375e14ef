"""Files: documents, what is attached to records, and images; which id is which is hidden."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Mapping, Sequence
from pathlib import PurePath

import anyio

from vtiger_async.client.calls import read_as
from vtiger_async.client.jobs import JobOperations
from vtiger_async.client.related import RelatedOperations
from vtiger_async.errors import (
    InvalidArgumentError,
    InvalidResponseError,
    RecordNotFoundError,
    ValidationError,
    VtigerError,
)
from vtiger_async.models.records import File, Record
from vtiger_async.problems import Problem
from vtiger_async.types import ID_FORM, FieldValue, RecordId, whole_number
from vtiger_async.wire.encode import FilePart, checked_module

__all__ = ["DocumentOperations"]


class DocumentOperations(JobOperations, RelatedOperations):
    """The part of the client that deals with files.

    A file has an id of its own beside that of the record which holds it. Only `files_retrieve`
    wants that one; every other method takes the record's.
    """

    async def files_retrieve(self, file_id: str) -> File:
        """Return a file: its bytes, name and type.

        The id is one of the comma-separated `imageattachmentids` of a record (a contact's image, a
        document's file), not the record's own (measured on Vtiger 8.4): `download_document` and
        `download_files` take the record's.

        Source: manual, "Files Retrieve".

        Raises:
            RecordNotFoundError: There is no file of that id; it may be a record's.
            InvalidResponseError: The file came incomplete.
        """
        rid = RecordId(file_id)
        try:
            result = await self._run("files_retrieve", {"id": rid}, record_id=rid)
        except RecordNotFoundError as error:
            error.message = (
                f"{error.message.rstrip('.')}: the id of a file is wanted, one of its record's "
                f"imageattachmentids; if {rid} is a record, download_files has its files"
            )
            raise
        file = read_as("files_retrieve", File.of, result)
        if file.size is not None and file.size != len(file.content):
            raise InvalidResponseError(
                f"{len(file.content)} bytes came of a file that has {file.size}",
                operation="files_retrieve",
                record_id=rid,
            )
        return file

    async def download_files(self, record_id: str) -> list[File]:
        """Return the files of a record: a document's, or the images of a contact or a product.

        It costs one call, and one more for each file.

        Args:
            record_id: The record, not its files.

        Raises:
            AccessDeniedError: No permission, or no such record.
        """
        return [await self.files_retrieve(rid) for rid in _file_ids(await self.retrieve(record_id))]

    async def download_document(self, document_id: str) -> File:
        """Return the file of a document, the latest if it has several; it costs two calls.

        Args:
            document_id: The document, not its file.

        Raises:
            RecordNotFoundError: The document holds no file: it is a link, or a note.
            AccessDeniedError: No permission, or no such document.
        """
        document = await self.retrieve(document_id)
        ids = _file_ids(document)
        if not ids:
            place = document.fields.get("filename")
            link = f"it is a link to {place}" if place else "it is a note"
            raise RecordNotFoundError(
                f"the document holds no file: {link}",
                operation="files_retrieve",
                module=document.module,
                record_id=document.id,
            )
        return await self.files_retrieve(max(ids))

    async def upload_document(
        self,
        file: bytes | os.PathLike[str],
        fields: Mapping[str, FieldValue],
        *,
        name: str | None = None,
        content_type: str | None = None,
    ) -> Record:
        """Create a document that holds a file, and return it as stored.

        Args:
            file: The bytes, or the path to read them from.
            fields: The document's fields, `assigned_user_id` at least; `notes_title` is the file's
                name unless given.
            name: The file's name; needed where bytes are given.
            content_type: Its media type; guessed from the name, if not given.

        Raises:
            InvalidArgumentError: Bytes were given without a name.
            ValidationError: The fields do not fit, or the file is larger than the instance takes,
                where its description of Documents is kept.
            OSError: The file cannot be read.
            OutcomeUnknownError: The document may or may not have been created.
        """
        if isinstance(file, bytes):
            content = file
        else:
            content = await anyio.Path(file).read_bytes()
            name = name or PurePath(file).name
        if not name:
            raise InvalidArgumentError("upload_document: bytes need a name=", operation="create")
        self._check_size("Documents", "filename", name, content)
        whole = {"notes_title": name, "filelocationtype": "I", "filestatus": True, **fields}
        part = _part("filename", name, content, content_type)
        return await self._write("create", "Documents", whole, files=[part])

    async def attach_document(
        self,
        record_id: str,
        document: str | bytes | os.PathLike[str],
        fields: Mapping[str, FieldValue] | None = None,
        *,
        name: str | None = None,
        content_type: str | None = None,
        label: str = "Documents",
    ) -> RecordId:
        """Attach a document to a record, and return the document's id.

        A file is uploaded first, as a document of its own. The relation is read back, since the
        server reports success for one that it did not make (measured on Vtiger 8.4). It costs two
        calls, one more for an upload, and a `describe` of Documents where that is not kept.

        Args:
            record_id: The record that gets it.
            document: The id of a document; or a file, as `upload_document` takes it: bytes, or a
                path that is no str.
            fields: The new document's fields; its owner is the caller, if not given.
            name: The file's name; needed where bytes are given.
            content_type: Its media type; guessed from the name, if not given.
            label: The relation's label.

        Raises:
            InvalidArgumentError: Fields or a name were given for a document that exists already.
            SilentChangeError: The relation is not there, or not shown to this user.
            VtigerError: As `upload_document` and `add_related`. An error after an upload has the
                new document's id in its message: `attach_document(record_id, that_id)` goes on.
        """
        rid = RecordId(record_id)
        if isinstance(document, str):
            if fields or name or content_type:
                raise InvalidArgumentError(
                    "fields, name and content_type are those of a new document: to change one that "
                    "exists, revise it",
                    operation="add_related",
                    record_id=rid,
                )
            existing = RecordId(document)
            await self._relate_document(rid, existing, label)
            return existing
        whole = dict(fields or {})
        if "assigned_user_id" not in whole:
            whole["assigned_user_id"] = (await self.me()).id
        made = await self.upload_document(document, whole, name=name, content_type=content_type)
        try:
            await self._relate_document(rid, made.id, label)
        except VtigerError as error:
            error.message = f"{error.message.rstrip('.')}; the document {made.id} was uploaded"
            raise
        return made.id

    async def _relate_document(self, rid: RecordId, document: RecordId, label: str) -> None:
        # The relation is read back by its module, which no id tells before a description.
        module = self._core.module_of(document)
        if module is None:
            await self.describe("Documents")
            module = self._core.module_of(document)
        if module != "Documents":
            raise InvalidArgumentError(
                f"{document} is no document, but of {module or 'another module'}",
                operation="add_related",
                record_id=rid,
            )
        await self.add_related(rid, document, label, verify=True)

    async def create_with_images(
        self,
        module: str,
        fields: Mapping[str, FieldValue],
        images: Mapping[str, bytes] | Sequence[os.PathLike[str]],
    ) -> Record:
        """Create a record with its images, and return it as stored: a contact's, a product's.

        The server takes images with `create` alone (read in public client code).

        Args:
            module: The module: Contacts or Products, or another with a field for images.
            fields: Python values by field name.
            images: The bytes by file name, or the paths to read them from.

        Raises:
            InvalidArgumentError: There is no image; no call was spent.
            ValidationError: As `create`; or the module has no field for images, or one is too
                large, where its description is kept.
            OSError: A file cannot be read.
            OutcomeUnknownError: The record may or may not have been created.
        """
        checked_module(module)
        if isinstance(images, Mapping):
            contents = dict(images)
        else:
            contents = {PurePath(p).name: await anyio.Path(p).read_bytes() for p in images}
        if not contents or not all(contents):
            raise InvalidArgumentError(
                "images are bytes by file name, or paths: at least one",
                operation="create",
                module=module,
            )
        for name, content in contents.items():
            self._check_size(module, "imagename", name, content)
        parts = [_part("imagename[]", name, content) for name, content in contents.items()]
        return await self._write("create", module, fields, files=parts)

    def _check_size(self, module: str, field: str, name: str, content: bytes) -> None:
        """Refuse a file that the kept description of its module has no room for.

        Raises:
            ValidationError: It has not.
        """
        described = self._core.cached(module)
        if described is None or self._writing.validate is False:
            return
        known = described.fields.get(field)
        most = whole_number(known.raw.get("type", {}).get("maxUploadFileSize")) if known else None
        if known is None:
            problem = Problem(field, name, f"{module} has no field for such files", "")
        elif most and len(content) > most:
            reason = f"{len(content)} bytes, where the instance takes {most}"
            problem = Problem(field, name, reason, "send a smaller file")
        else:
            return
        raise ValidationError(problems=(problem,), operation="create", module=module)


def _file_ids(record: Record) -> list[RecordId]:
    """Return the ids of the files that a record holds."""
    texts = str(record.fields.get("imageattachmentids") or "").split(",")
    return [RecordId(text.strip()) for text in texts if ID_FORM.fullmatch(text.strip())]


def _part(part: str, name: str, content: bytes, content_type: str | None = None) -> FilePart:
    kind = content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FilePart(part, name, kind, content)
