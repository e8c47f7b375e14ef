"""A mirror as a stream of lines: what is the same for all kinds of messages."""

from __future__ import annotations

import json
import mmap
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import unquote

from vtiger_async.mirror.batches import Batch
from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.sink import Deletes, Look
from vtiger_async.mirror.sinks import file_of, options_of
from vtiger_async.mirror.sinks.lines import LinesSink
from vtiger_async.mirror.sinks.locking import FileLock
from vtiger_async.mirror.sinks.stored import FORM, check_form, check_instance, state_of
from vtiger_async.mirror.states import ModuleState
from vtiger_async.types import is_map

__all__ = ["StreamSink", "check_deletes", "line_of", "places_of"]

_STDOUT: Final = "-"


def check_deletes(deletes: Deletes) -> None:
    """Refuse to remove rows: lines that were written can only be followed by others.

    Args:
        deletes: What was asked for.

    Raises:
        SinkError: Rows were to be removed.
    """
    if deletes != "tombstone":
        raise SinkError("lines only tell that a record is gone: deletes='delete' needs a database")


def places_of(url: str) -> tuple[Path | None, Path | None]:
    """Return the file of a URL, None for standard output, and the file of the state to begin with.

    Args:
        url: `singer:-`, `singer:///out.jsonl`, or either with `?state=FILE`.

    Raises:
        SinkError: It names neither, or asks for something else.
    """
    rest, options = options_of(url, "state")
    target = None if unquote(rest.partition(":")[2]) == _STDOUT else file_of(rest)
    return target, Path(options["state"]) if options else None


def line_of(message: Mapping[str, Any]) -> bytes:
    """Return a message as a line."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class StreamSink(LinesSink):
    """Writes a mirror to standard output or to a file, as messages.

    After the messages of a batch have been flushed comes one with the states of all modules. Who
    begins again with that state gets all that came after it once more, and loses nothing.
    """

    MARK = b""
    """How a line with states begins."""

    def __init__(
        self, target: str | Path | BinaryIO | None = None, *, state: str | Path | None = None
    ) -> None:
        """Say where the messages go; nothing is opened yet.

        Args:
            target: A file, which is gone on with, or a stream of bytes; None for standard output.
            state: A file with the states to begin with, as a message held them. A file that is
                gone on with needs none: its last message counts.
        """
        super().__init__()
        self._target = target
        self._state = None if state is None else Path(state)
        self._out: BinaryIO | None = None
        self._instance = ""
        self._states: dict[str, ModuleState] = {}
        self._announced: set[str] = set()

    def states_message(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the message that tells the states."""
        raise NotImplementedError

    def states_in(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the states that a message tells."""
        raise NotImplementedError

    def announcement(self, state: ModuleState) -> Iterable[Mapping[str, Any]]:
        """Return what is told of a module before its first records."""
        raise NotImplementedError

    def messages(self, batch: Batch) -> Iterable[Mapping[str, Any]]:
        """Return what is told of the records of a batch."""
        raise NotImplementedError

    @property
    def _what(self) -> str:
        return str(self._target) if isinstance(self._target, str | Path) else "the stream"

    def _opened(self, instance: str) -> dict[str, ModuleState]:
        if isinstance(self._target, str | Path):
            path = Path(self._target)
            self._lock = FileLock(path)
            try:
                end = self._begin(instance)
                self._out = path.open("r+b" if path.exists() else "xb")
                self._out.truncate(end)
                self._out.seek(end)
            except BaseException:
                self._closed()
                raise
        else:
            self._begin(instance)
            self._out = sys.stdout.buffer if self._target is None else self._target
        return dict(self._states)

    def _begin(self, instance: str) -> int:
        """Take over the states to begin with; return how much of the target counts."""
        what, value, end = self._kept()
        kept, states = self._parsed(what, value)
        if kept is not None:
            check_instance(what, kept, instance)
        self._instance, self._states, self._announced = instance, states, set()
        return end

    def _kept(self) -> tuple[str, Mapping[str, Any] | None, int]:
        """Return where the states to begin with stand, them, and how much of the target counts."""
        value, end = None, 0
        if isinstance(self._target, str | Path):
            value, end = self._last(Path(self._target))
        if end or self._state is None:
            return self._what, value, end
        return str(self._state), self._given(self._state), end

    def _parsed(
        self, what: str, value: Mapping[str, Any] | None
    ) -> tuple[str | None, dict[str, ModuleState]]:
        if not value:
            return None, {}
        try:
            check_form(what, value["form"])
            states = {
                name: state_of(what, json.dumps(one)) for name, one in value["modules"].items()
            }
            return str(value["instance"]), states
        except (AttributeError, KeyError):
            raise SinkError(f"{what}: the state is none that this package wrote") from None

    def _given(self, file: Path) -> Mapping[str, Any]:
        """Return what a file of states says; an empty one says nothing yet."""
        try:
            value: Any = json.loads(file.read_bytes() or b"{}")
        except ValueError:
            raise SinkError(f"{file} is no JSON: a state to begin with is one") from None
        if not is_map(value):
            raise SinkError(f"{file}: the state is none that this package wrote")
        return value

    def _last(self, path: Path) -> tuple[Mapping[str, Any] | None, int]:
        """Return the states in the last whole message of a file that tells any, and its end."""
        if not path.exists() or not path.stat().st_size:
            return None, 0
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            begin, end = len(text), -1
            while begin > 0 and end < 0:
                begin = text.rfind(self.MARK, 0, begin)
                if begin == 0 or text[begin - 1 : begin] == b"\n":
                    end = text.find(b"\n", begin)
            if begin < 0:
                raise SinkError(f"{path} is there already, and no mirror: choose another place")
            return self.states_in(json.loads(text[begin:end])), end + 1

    def _prepared(self, state: ModuleState) -> None:
        self._announced.discard(state.module)
        self._committed(Batch(state))

    def _committed(self, batch: Batch) -> None:
        if self._out is None:
            raise SinkError(f"{self._what} is not open")
        state = batch.state
        told = () if state.module in self._announced else self.announcement(state)
        states = {**self._states, state.module: state}
        modules = {name: json.loads(one.text()) for name, one in states.items()}
        value = {"form": FORM, "instance": self._instance, "modules": modules}
        try:
            self._put(self._out, (*told, *self.messages(batch)))
            self._put(self._out, (self.states_message(value),))
        except BaseException:
            # Half a line may stand there: the next to open the file cuts it off.
            with suppress(OSError):
                self._closed()
            raise
        self._states = states
        self._announced.add(state.module)

    def _put(self, out: BinaryIO, messages: Iterable[Mapping[str, Any]]) -> None:
        out.writelines(line_of(message) for message in messages)
        out.flush()
        if self._lock is not None:  # a file of ours
            os.fsync(out.fileno())

    def _looked(self) -> Look:
        what, value, _ = self._kept()
        return Look(*self._parsed(what, value))

    def _closed(self) -> None:
        out, self._out = self._out, None
        try:
            if out is not None and self._lock is not None:  # a file of ours
                out.close()
        finally:
            self._release()
