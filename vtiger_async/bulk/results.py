"""The result files of a job: what is done, what is to be mended, and what was not tried.

They are CSV in UTF-8, with the columns of the input as they were, so the file of errors can be
mended and loaded as it is. Rows whose create may have happened are not among the errors: to load
them again could double them. They have a file of their own.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TextIO

from attrs import define, field

from vtiger_async.bulk.errors import BulkError
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.outcomes import (
    Created,
    Deleted,
    Failed,
    Outcome,
    Rejected,
    Revised,
    Skipped,
    Unchanged,
)
from vtiger_async.bulk.reporting import outcome_of, rows_of
from vtiger_async.bulk.steps import LoadInfo, Step

__all__ = ["ERROR_COLUMN", "write_results"]

ERROR_COLUMN: Final = "import_error"
"""The column of the file of errors that says why; the automatic mapping passes it over."""
_ADDED: Final[Mapping[str, tuple[str, ...]]] = {
    "success": ("id", "outcome"),
    "error": (ERROR_COLUMN,),
    "unknown": ("import_unknown",),
    "unprocessed": (),
}
"""The files, and the columns that each has besides those of the input."""


def write_results(journal: Journal, directory: Path | None = None) -> dict[str, Path]:
    """Write the result files of a job, in place of those of an earlier run; one appears when whole.

    They are `NAME.success.csv`, `NAME.error.csv`, `NAME.unknown.csv` and `NAME.unprocessed.csv`;
    NAME is that of the input file, or else the journal's. Only those are written that have rows.

    Args:
        journal: The job's journal.
        directory: Where; if not given, next to the input file, or else next to the journal.

    Returns:
        The files by what they hold: `"success"`, ...; of a job with several loads by
        `"Accounts.success"`, ....

    Raises:
        BulkError: A file cannot be written.
    """
    written: dict[str, Path] = {}
    loads = journal.loads
    stems = [_stem(journal, loads, number) for number in range(len(loads))]
    for number, load in enumerate(loads):
        stem = stems[number]
        if stems.count(stem) > 1:
            stem = stem.with_name(f"{stem.name}.{number + 1}")
        if directory is not None:
            stem = directory / stem.name
        files = _write(journal, number, load, stem)
        prefix = f"{load.module}." if len(loads) > 1 else ""
        for kind, path in files.items():
            name = f"{prefix}{kind}"
            written[name if name not in written else f"{number + 1}.{name}"] = path
    return written


def _stem(journal: Journal, loads: Sequence[LoadInfo], number: int) -> Path:
    load = loads[number]
    if load.source is not None:
        source = Path(load.source)
        folder = source.parent if source.is_absolute() else journal.path.parent
        return folder / source.name.rsplit(".", 1)[0]
    name = journal.path.name.split(".", 1)[0]
    return journal.path.with_name(f"{name}.{load.module}" if len(loads) > 1 else name)


def _write(journal: Journal, number: int, load: LoadInfo, stem: Path) -> dict[str, Path]:
    columns = [name for name in load.columns if name not in _OURS]
    with ExitStack() as stack:
        try:
            files = {
                kind: stack.enter_context(_File(stem.with_name(f"{stem.name}.{kind}.csv"), added))
                for kind, added in _ADDED.items()
            }
            for step, link in rows_of(journal, number):
                columns = columns or [name for name in step.raw if name not in _OURS]
                kind, added = _told(outcome_of(step, load, link))
                files[kind].write(columns, step, added)
            return {kind: one.path for kind, one in files.items() if one.keep()}
        except OSError as error:
            raise BulkError(f"the results cannot be written: {error}") from None


_OURS: Final = frozenset({ERROR_COLUMN, "import_unknown"})


def _told(outcome: Outcome | None) -> tuple[str, tuple[str, ...]]:
    """Return in which file a row goes, and what its added columns hold."""
    match outcome:
        case None:
            return "unprocessed", ()
        case Created() | Revised() | Deleted() | Unchanged():
            return "success", (str(outcome.record_id), type(outcome).__name__.lower())
        case Skipped():
            return "success", ("", f"skipped: {outcome.reason}")
        case Rejected():
            return "error", ("; ".join(outcome.problems),)
        case Failed():
            return "error", (outcome.reason,)
        case _:
            return "unknown", (outcome.reason,)


@define(eq=False)
class _File:
    """One CSV file, under another name until it is whole; begun with its first row.

    It is readable by its owner only, as the journal is.
    """

    path: Path
    added: tuple[str, ...]
    _file: TextIO | None = field(default=None, init=False)
    _writer: Any = field(default=None, init=False)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._part.unlink(missing_ok=True)

    @property
    def _part(self) -> Path:
        return self.path.with_name(f".{self.path.name}.part")

    def write(self, columns: Sequence[str], step: Step, added: Iterable[str]) -> None:
        if self._file is None:
            self._part.unlink(missing_ok=True)
            number = os.open(self._part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            self._file = open(number, "w", encoding="utf-8", newline="")  # noqa: PTH123, SIM115 - closed by the context
            self._writer = csv.writer(self._file, lineterminator="\n")
            taken = set(columns)
            self._writer.writerow([*columns, *_free(self.added, taken)])
        self._writer.writerow([*(_cell(step.raw.get(name)) for name in columns), *added])

    def keep(self) -> bool:
        """Give the file its name; remove one of an earlier run where no row came."""
        if self._file is None:
            self.path.unlink(missing_ok=True)
            return False
        self._file.flush()
        os.fsync(self._file.fileno())
        self._part.replace(self.path)
        return True


def _free(names: Iterable[str], taken: set[str]) -> Iterator[str]:
    """Yield the names, those that a column has already with a line before."""
    for name in names:
        yield f"_{name}" if name in taken else name


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
