"""A mirror as JSON lines: `jsonl:///folder` for a file of each module, `jsonl:-` for one stream."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from vtiger_async.mirror.batches import Batch
from vtiger_async.mirror.errors import SinkError, TableError
from vtiger_async.mirror.sink import Deletes, Look
from vtiger_async.mirror.sinks.lines import LinesSink
from vtiger_async.mirror.sinks.locking import FileLock
from vtiger_async.mirror.sinks.stored import (
    FORM,
    check_form,
    check_instance,
    file_name,
    flush_folder,
    moment,
    state_of,
)
from vtiger_async.mirror.sinks.stream import StreamSink, check_deletes, line_of, places_of
from vtiger_async.mirror.states import ModuleState
from vtiger_async.types import is_map

__all__ = ["JsonLinesSink", "JsonLinesStream", "of_url"]

_STATE: Final = ".state.json"
_MIRROR: Final = "mirror.json"


def of_url(url: str, deletes: Deletes) -> JsonLinesSink | JsonLinesStream:
    """Return the sink of a URL: `jsonl:///folder`, or `jsonl:-` with or without `?state=FILE`.

    Raises:
        SinkError: The URL names no place, or `deletes` is `"delete"`.
    """
    check_deletes(deletes)
    target, state = places_of(url)
    if target is None:
        return JsonLinesStream(state=state)
    if state is not None:
        raise SinkError("a folder of JSON lines keeps its states itself: leave ?state= out")
    return JsonLinesSink(target)


def changes(batch: Batch) -> Iterable[dict[str, Any]]:
    """Return an object for each record that came or went.

    A record has all its columns, and its line items as `_lines` where they were read; one that is
    gone has `id`, `_deleted_at` and `_deleted_as`.

    Args:
        batch: What was read.
    """
    state = batch.state
    names = [column.name for column in state.table.columns]
    of_lines = [column.name for column in state.lines.columns] if state.lines else []
    for one in batch.upserts:
        record: dict[str, Any] = dict(zip(names, one.row, strict=True))
        if state.lines is not None and one.lines is not None:
            record["_lines"] = [dict(zip(of_lines, line, strict=True)) for line in one.lines]
        yield record
    for gone in batch.gone:
        yield {"id": gone.id, "_deleted_at": moment(gone.at), "_deleted_as": gone.why}


class JsonLinesStream(StreamSink):
    """Writes JSON lines of all modules to standard output, or to a file.

    A record's line has its module as `_module` besides its columns. After each batch comes a line
    with the states of all modules as `_state`: kept in a file and given as `state`, it is where
    the next run begins.
    """

    MARK = b'{"_state":'

    def states_message(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the line of the states."""
        return {"_state": value}

    def states_in(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the states in their line."""
        value: Mapping[str, Any] = message["_state"]
        return value

    def announcement(self, state: ModuleState) -> Iterable[Mapping[str, Any]]:
        """Return nothing: the lines tell their columns themselves."""
        return ()

    def messages(self, batch: Batch) -> Iterable[Mapping[str, Any]]:
        """Return the lines of the records."""
        return ({"_module": batch.state.module, **change} for change in changes(batch))


class JsonLinesSink(LinesSink):
    """Keeps a file of JSON lines for each module, `Accounts.jsonl`, to which changes are added.

    The last line of an id counts. `Accounts.state.json` is where the module stands: its `bytes` say
    how much of the file is committed. What stands behind that is of a run that crashed, and is cut
    off by the next; so a reader reads that many bytes.
    """

    def __init__(self, folder: str | Path) -> None:
        """Name the folder; nothing is opened yet.

        Args:
            folder: The folder; it is made where it is not there, but not those above it.
        """
        super().__init__()
        self.folder = Path(folder)
        self._bytes: dict[str, int] = {}

    @property
    def _what(self) -> str:
        return str(self.folder)

    def _opened(self, instance: str) -> dict[str, ModuleState]:
        self.folder.mkdir(exist_ok=True)
        self._lock = FileLock(self.folder / "mirror")
        try:
            kept = self._kept_instance()
            if kept is None:
                self._replace(_MIRROR, {"form": FORM, "instance": instance})
            else:
                check_instance(str(self.folder), kept, instance)
            found = self._found()
            self._bytes = {module: size for module, (_, size) in found.items()}
            for module in found:
                self._cut(module)
        except BaseException:
            self._closed()
            raise
        return {module: state for module, (state, _) in found.items()}

    def _kept_instance(self) -> str | None:
        path = self.folder / _MIRROR
        if not path.exists():
            return None
        facts = self._read(path)
        check_form(str(self.folder), facts.get("form"))
        return str(facts.get("instance"))

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            facts: Any = json.loads(path.read_bytes())
        except ValueError:
            facts = None
        if not is_map(facts):
            raise SinkError(f"{path} is damaged, or of another program")
        return facts

    def _found(self) -> dict[str, tuple[ModuleState, int]]:
        """Return the states of the modules whose files are there, and how much of them counts."""
        found: dict[str, tuple[ModuleState, int]] = {}
        for path in sorted(self.folder.glob(f"*{_STATE}")):
            facts = self._read(path)
            state = state_of(str(path), json.dumps(facts.get("state")))
            size, data = facts.get("bytes"), self._path(state.module)
            if not data.exists():
                continue
            if not isinstance(size, int) or data.stat().st_size < size:
                raise SinkError(f"{data} is shorter than what was committed to it")
            found[state.module] = state, size
        return found

    def _prepared(self, state: ModuleState) -> None:
        path = self._path(state.module)
        if state.module not in self._bytes:
            if path.exists() and path.stat().st_size:  # an empty one is of a crash right here
                raise TableError(f"{path} is there already, and not the mirror's: rename it")
            path.touch()
            self._bytes[state.module] = 0
        self._keep(state, self._bytes[state.module])

    def _committed(self, batch: Batch) -> None:
        module = batch.state.module
        if self._lock is None or module not in self._bytes:
            raise SinkError(f"{self.folder} is not open, or does not hold {module}")
        size = self._bytes[module]
        lines = b"".join(line_of(change) for change in changes(batch))
        if lines:
            self._cut(module)
            with self._path(module).open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        self._keep(batch.state, size + len(lines))
        self._bytes[module] = size + len(lines)

    def _cut(self, module: str) -> None:
        """Cut off what was never committed."""
        path = self._path(module)
        if path.stat().st_size > self._bytes[module]:
            os.truncate(path, self._bytes[module])

    def _keep(self, state: ModuleState, size: int) -> None:
        facts = {"bytes": size, "state": json.loads(state.text())}
        self._replace(f"{file_name(state.module)}{_STATE}", facts)

    def _replace(self, name: str, facts: Mapping[str, Any]) -> None:
        """Put a file in the place of another, in one step."""
        fresh = self.folder / f"{name}.new"
        with fresh.open("wb") as file:
            file.write(line_of(facts))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.folder / name)
        flush_folder(self.folder)

    def _path(self, module: str) -> Path:
        return self.folder / f"{file_name(module)}.jsonl"

    def _looked(self) -> Look:
        if not self.folder.is_dir():
            return Look()
        states = {module: state for module, (state, _) in self._found().items()}
        return Look(self._kept_instance(), states)
