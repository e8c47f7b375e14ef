"""An export: records into a file that can be gone on with, whatever ended it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
from anyio.to_thread import run_sync
from attrs import evolve

from vtiger_async.exports.crm import Crm
from vtiger_async.exports.errors import ExportError
from vtiger_async.exports.formats import FileFormat, format_of, head_of, lines_of
from vtiger_async.exports.parquet import ParquetFile
from vtiger_async.exports.parts import Part
from vtiger_async.exports.reports import ExportReport
from vtiger_async.exports.standing import Standing, StandingFile
from vtiger_async.exports.statements import statement_of
from vtiger_async.quota.costs import Cost, cost_of
from vtiger_async.quota.events import Granted, QuotaEvent
from vtiger_async.tables.arrow import arrow_library
from vtiger_async.tables.describing import selection_of, without_lines
from vtiger_async.tables.rows import RowMaker
from vtiger_async.types import LINE_MODULES
from vtiger_async.vtql import Select

__all__ = ["Export"]


class Export:
    """An export into a file; see `VtigerClient.export`.

    The order in which things become durable: records in `FILE.part`, then the standing that counts
    them. What the file has beyond its standing is cut off when the export goes on.

    Args:
        crm: The client.
        what: A module's name, VTQL, or a Select.
        to: The file.
        overwrite: Whether it replaces a file that is there.
        restart: Whether an unfinished export of the file is forgotten.
        progress: Is called after each page with the number of records so far.

    Raises:
        ConfigurationError: Parquet was asked for, and pyarrow is not installed.
        InvalidArgumentError: The suffix is none that is known, or the statement cannot be sent.
        QuerySyntaxError: The text is not VTQL.
    """

    def __init__(
        self,
        crm: Crm,
        what: str | Select,
        to: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        restart: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        self._crm = crm
        self._statement = statement_of(what)
        self.path = Path(to)
        self._format: FileFormat = format_of(self.path)
        # Where the name is a link, the file behind it is written, and the link stays.
        self._file = self.path.resolve() if self.path.is_symlink() else self.path
        if self._format == "parquet":
            arrow_library("pyarrow.parquet")
        self._overwrite = overwrite
        self._restart = restart
        self._progress = progress
        self._part = self._file.with_name(f"{self._file.name}.part")
        self._made = self._part
        if self._format == "parquet":
            self._made = self._file.with_name(f"{self._file.name}.part.parquet")
        self._state = self._file.with_name(f"{self._file.name}.state")
        self._calls = 0

    async def run(self) -> ExportReport:
        """Write the file, or go on where it stands; return what came of it.

        Raises:
            ExportError: It cannot be written.
        """
        self._check_folder()
        store = await run_sync(StandingFile, self._state)
        forget = self._crm.subscribe(self._count)
        named = False
        try:
            if self._restart:
                await run_sync(store.forget)
            standing = await run_sync(self._found, store)
            if standing is None or not standing.finished:
                standing = await self._read(store, standing)
                standing = await self._complete(store, standing)
            await run_sync(self._name)
            named = True
        except OSError as error:
            raise ExportError(f"{self.path}: {error.strerror or error}") from None
        finally:
            forget()
            with anyio.CancelScope(shield=True):
                await run_sync(partial(self._leave, store, named=named))
        return ExportReport(
            path=self.path,
            module=self._statement.module,
            records=standing.records,
            calls=standing.calls,
            seconds=standing.seconds,
            runs=standing.runs,
            unread=standing.unread,
        )

    async def explain(self) -> Cost:
        """Return what the file will cost, or the rest of one that is unfinished; nothing is made.

        It takes a count(*), and for documents with line items their description, unless that is
        kept. What a client asks once, that and who the user is, is not in it.

        Raises:
            ExportError: It could not be written.
        """
        self._check_folder()
        standing = await run_sync(self._looked)
        if standing is not None and standing.finished:
            note = "all is read: the file only has to be completed"
            return cost_of(self._statement.module, 0, 0, self._crm.quota.plan, note=note)
        if standing is not None:
            return await self._crm.query(standing.sent, resume=standing.token).explain()
        statement = self._statement
        if statement.module in LINE_MODULES:
            statement = without_lines(statement, await self._crm.describe(statement.module))
        return await self._crm.query(statement).explain()

    def _looked(self) -> Standing | None:
        """Return where an unfinished export stands, without making a state where there is none."""
        if not self._state.exists():
            self._check_new()
            return None
        store = StandingFile(self._state)
        try:
            return self._found(store)
        finally:
            store.close(remove=False)

    def _check_folder(self) -> None:
        if not self._file.parent.is_dir():
            raise ExportError(f"{self.path}: there is no folder {self._file.parent}")

    def _check_new(self) -> None:
        if self._file.exists() and not self._overwrite:
            raise ExportError(f"{self.path} is there: choose another name, or overwrite it")

    @property
    def is_begun(self) -> bool:
        """Whether an export of the file is begun that the same call would go on with."""
        return self._state.exists()

    def _count(self, event: QuotaEvent) -> None:
        self._calls += isinstance(event, Granted)

    def _found(self, store: StandingFile) -> Standing | None:
        """Return where an unfinished export stands, if it can be gone on with."""
        standing = None if self._restart else store.read()
        if standing is None:
            self._check_new()
            return None
        if (standing.instance, standing.statement) != (self._crm.url, str(self._statement)):
            raise ExportError(
                f"{self._part} is an unfinished export of {standing.statement} from "
                f"{standing.instance}: finish that one, or restart"
            )
        if not standing.finished and (
            not self._part.exists() or self._part.stat().st_size < standing.size
        ):
            raise ExportError(
                f"{self._part} does not hold any more what was written to it: restart"
            )
        return standing

    async def _read(self, store: StandingFile, standing: Standing | None) -> Standing:
        """Read what is left, and write it; whatever ends that, keep where it then stands."""
        module = await self._crm.describe(self._statement.module)
        if standing is None:
            wanted, sent = self._statement, without_lines(self._statement, module)
            table = selection_of(module, wanted.fields)
            standing = Standing(self._crm.url, str(wanted), str(sent), table)
        table = standing.table
        maker = RowMaker(table, module)
        query = self._crm.query(standing.sent, resume=standing.token)
        part = await run_sync(Part, self._part, store, standing, head_of(self._format, table))
        try:
            async for page in query.pages():
                made = [maker.row_of(record) for record in page]
                unread = Counter(name for _, names in made for name in names)
                rows = [row for row, _ in made]
                part.add(lines_of(self._format, table, rows), len(rows), unread)
                if self._progress is not None:
                    self._progress(part.standing.records)
                if part.is_due:
                    await run_sync(part.keep, query.resume_token, self._calls)
            return await run_sync(part.keep, query.resume_token, self._calls)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(part.leave, query.resume_token, self._calls)

    async def _complete(self, store: StandingFile, standing: Standing) -> Standing:
        """Make of the parts what the file is to be, and note that only its name is missing."""
        if self._made != self._part:
            made = await run_sync(ParquetFile, self._part, self._made, standing.table)
            with made:
                while await run_sync(made.write_group):
                    pass
                await run_sync(made.finish)
        standing = evolve(standing, finished=True)
        await run_sync(store.keep, standing)
        return standing

    def _name(self) -> None:
        """Give the finished file its name; a run that was killed may have done so."""
        if self._made.exists():
            if self._file.exists() and not self._overwrite:
                raise ExportError(
                    f"{self.path} has come to be there meanwhile: move it away, or overwrite it"
                )
            self._made.replace(self._file)
            _make_durable(self._file.parent)
        elif not self._file.exists():
            raise ExportError(f"{self._made} is not there any more: restart")

    def _leave(self, store: StandingFile, *, named: bool) -> None:
        """Close all, and remove what is not needed to go on."""
        remove = named
        try:
            remove = named or store.read() is None
            if remove:
                self._part.unlink(missing_ok=True)
        except (ExportError, OSError):
            pass  # what stays is a finished export at worst, which the next run tells again
        finally:
            store.close(remove=remove)


def _make_durable(folder: Path) -> None:
    if os.name == "posix":
        there = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(there)
        finally:
            os.close(there)
