"""The file of a recording: JSON with a format's number, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from vtiger_async.errors import ConfigurationError
from vtiger_async.types import is_list, is_map

__all__ = ["FORMAT", "read_recording", "write_recording"]

FORMAT = 1
"""The number of the file's format; it rises when a reader of the present one would be misled."""

_LAST = {"convertlead": 1, "delete": 2}


def write_recording(path: Path, recording: dict[str, Any]) -> None:
    """Write a recording, readable by its owner only; a file of that name is replaced at once.

    Args:
        path: The file.
        recording: What the file holds besides the format.

    Raises:
        OSError: It cannot be written; what was there is there still.
    """
    text = json.dumps({"format": FORMAT, **recording}, ensure_ascii=False, indent=1)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_recording(path: Path) -> dict[str, Any]:
    """Return what a recording holds; a bare list of exchanges is taken too.

    Args:
        path: The file; or a folder of files with exchanges of one operation each, named after it.

    Raises:
        ConfigurationError: It is no recording, or one of a later format.
    """
    if path.is_dir():
        found = [read_recording(file)["exchanges"] for file in sorted(path.glob("*.json"))]
        # Nothing tells the order of the files; what is deleted was there for the others.
        found.sort(
            key=lambda exchanges: _LAST.get(exchanges[0]["operation"], 0) if exchanges else 0
        )
        return {"exchanges": [exchange for exchanges in found for exchange in exchanges]}
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path.name} is no recording: {error}") from None
    recording: dict[str, Any] = value if is_map(value) else {"format": FORMAT, "exchanges": value}
    if recording.get("format") != FORMAT:
        raise ConfigurationError(
            f"{path.name} has the format {recording.get('format')!r}, and this version reads "
            f"{FORMAT}"
        )
    exchanges = recording.get("exchanges")
    if not is_list(exchanges) or not all(map(_is_exchange, exchanges)):
        raise ConfigurationError(
            f"{path.name} is no recording: exchanges with request and response are expected"
        )
    return recording | {"exchanges": [{"operation": path.stem, **e} for e in exchanges]}


def _is_exchange(value: object) -> bool:
    if not is_map(value):
        return False
    request, response = value.get("request"), value.get("response")
    return (
        isinstance(value.get("name"), str)
        and is_map(request)
        and is_map(request.get("params"))
        and isinstance(request.get("path"), str)
        and request.get("method") in ("GET", "POST")
        and "user" in request
        and is_map(response)
        and type(response.get("status")) is int
        and (is_map(response.get("body")) or is_list(response.get("body")))
    )
