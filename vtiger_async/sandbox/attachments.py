"""Files: those sent with `create`, and `files_retrieve`.

A document's or an image's content is read by the id that stands in `imageattachmentids`, never by
the record's own id (measured on Vtiger 8.4). The answer has the form of the manual, `filezie`
included, or that of the open source.
"""

from __future__ import annotations

import base64

from vtiger_async.sandbox.access import denied
from vtiger_async.sandbox.answers import Fault, Upload
from vtiger_async.sandbox.calls import Call, id_parts
from vtiger_async.sandbox.schema import Module
from vtiger_async.sandbox.store import Store

__all__ = ["file_values", "files_retrieve", "keep_files"]


def file_values(module: Module, files: list[Upload]) -> dict[str, str | None]:
    """Return the fields that the uploads of a create set."""
    if not files:
        return {}
    first = files[0]
    if module.name == "Documents":
        return {
            "filename": first.name,
            "filetype": first.content_type,
            "filesize": str(len(first.content)),
            "filelocationtype": "I",
        }
    if "imagename" in module.columns:
        return {"imagename": ", ".join(file.name for file in files)}
    return {}


def keep_files(store: Store, module: Module, number: int, files: list[Upload]) -> None:
    """Store the uploads of a record, where its module holds any."""
    if not file_values(module, files):
        return
    kept = files[:1] if module.name == "Documents" else files
    for file in kept:
        store.run(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?)",
            (
                store.next_number(module),
                module.record_id(number),
                file.name,
                file.content_type,
                file.content,
            ),
        )


def files_retrieve(call: Call) -> object:
    """Answer `files_retrieve`: one file's name, type and content in base64.

    Raises:
        Fault: INVALID_ID_ATTRIBUTE for what is no id, RECORD_NOT_FOUND where no file has it,
            ACCESS_DENIED where the record it belongs to may not be read.
    """
    text = call.text("id")
    asked = id_parts(text)
    found = call.store.rows("SELECT * FROM files WHERE n = ?", (asked[1],))
    if not found or found[0][1].partition("x")[0] != str(asked[0]):
        raise Fault("RECORD_NOT_FOUND", "Record you are trying to access is not found")
    _, parent, name, content_type, content = found[0]
    try:
        call.found(parent)
    except Fault:
        raise denied("Permission to read given object is denied") from None
    if call.profile.file_in_list:
        return [
            {
                "fileid": str(asked[1]),
                "filename": name,
                "filetype": content_type,
                "filesize": len(content),
                "filecontents": base64.b64encode(content).decode(),
            }
        ]
    return {
        "fileid": text,
        "filename": name,
        "filetype": content_type,
        "filezie": len(content),
        "filecontents": base64.b64encode(content).decode(),
    }
