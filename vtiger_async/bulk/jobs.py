"""`crm.bulk`: plan, apply, resume, report, undo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import anyio
from anyio.to_thread import run_sync

from vtiger_async.bulk.applying import Job
from vtiger_async.bulk.crm import Crm
from vtiger_async.bulk.errors import PlanUnfinishedError, SourceError
from vtiger_async.bulk.events import JobEvent
from vtiger_async.bulk.finding import new_journal
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.load import Load
from vtiger_async.bulk.options import Ambiguous, Missing, Mode, Nulls, Repeats
from vtiger_async.bulk.outcomes import Outcome, Report
from vtiger_async.bulk.plan import Plan
from vtiger_async.bulk.planning import plan_job
from vtiger_async.bulk.reporting import report_of
from vtiger_async.bulk.results import write_results
from vtiger_async.bulk.sources import Source, fingerprint_of
from vtiger_async.bulk.strategy import MultiWrite
from vtiger_async.bulk.undoing import UndoReport, undo_job
from vtiger_async.clock import Clock
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.types import FieldValue, is_list

__all__ = ["Bulk", "LoadOptions"]


class LoadOptions(TypedDict, total=False):
    """The options of one load; all but the module may be left out. `Load` says more of each.

    Attributes:
        module: The module.
        key: The field, or fields, by which a row and a record are the same.
        mode: What becomes of a row.
        mapping: Which column becomes which field.
        constants: Values that every row has, by field.
        owner: Whose the new records are, where a row does not say.
        repeats: Which of several rows with one key counts.
        nulls: What an empty cell does to a record that is there.
        missing: What is done where a reference is not found.
        ambiguous: What is done where several records have a value that is looked for.
        mark: A text field into which a value is written that no other row has.
        format: The format of a file whose suffix does not tell.
        delimiter: Between the cells of a CSV file.
        encoding: Of a text file.
    """

    module: str
    key: str | Sequence[str] | None
    mode: Mode
    mapping: Any
    constants: Mapping[str, FieldValue]
    owner: str | None
    repeats: Repeats
    nulls: Nulls
    missing: Missing
    ambiguous: Ambiguous
    mark: str | None
    format: Literal["csv", "jsonl", "parquet"] | None
    delimiter: str | None
    encoding: str


class Bulk:
    """Bulk jobs of one client: `crm.bulk`.

    Args:
        crm: The client.
        clock: Its clock.
        workers: Calls that a job has under way at once.
    """

    def __init__(self, crm: Crm, clock: Clock, workers: int) -> None:
        self._crm = crm
        self._clock = clock
        self._workers = workers

    def __repr__(self) -> str:
        return f"<Bulk jobs at {self._crm.url}>"

    async def plan(
        self,
        rows: Source | Load | list[Load],
        *,
        journal: str | Path | None = None,
        strategy: MultiWrite | None = None,
        progress: Callable[[int], object] | None = None,
        **options: Unpack[LoadOptions],
    ) -> Plan:
        """Read rows, and find out what is to be done for each; nothing is written to the CRM.

        Each row is checked against the module's description, references and keys are looked up a
        hundred a call, and what differs is worked out. All of it goes into the journal, so a
        million rows need no more memory than a thousand, and the input is not needed any more.

        Args:
            rows: The input, with the options of its load; or Loads of several modules, whose
                parents are written before their children.
            journal: The file that the plan is kept in. If not given, it lies next to the input, and
                among the temporary files where the input is no file.
            strategy: What will create many records in one call, if anything does.
            progress: Called with the number of rows read so far.
            options: See `Load`; `module` has to be given.

        Raises:
            InvalidArgumentError: Options do not fit together.
            MappingError: The columns do not fit the module, or this user does not see the module,
                or one in which a reference is to be found.
            SourceError: The input cannot be read.
            JournalError: The journal cannot be made, or a job for this input is not at its end. A
                planning that was cut short is no such job: this one takes its place.
        """
        loads = _loads(rows, options)
        path = None if journal is None else Path(journal)
        now = self._clock.time()
        kept = await run_sync(
            lambda: new_journal(loads, path, instance=self._crm.url, created_at=now)
        )
        try:
            with closing(kept):
                inputs = [str(load.path.absolute()) if load.path else None for load in loads]
                await run_sync(lambda: kept.keep(inputs=inputs))
                await plan_job(self._crm, self._clock, loads, kept, progress)
                size = strategy.size if strategy is not None else 1
                return await run_sync(lambda: Plan.of(kept, self._crm.quota, batch=size))
        except BaseException:
            kept.delete()
            raise

    def apply(
        self,
        plan: Plan | str | Path,
        *,
        strategy: MultiWrite | None = None,
        on_event: Callable[[JobEvent], object] | None = None,
        stop: anyio.Event | None = None,
        stop_on_pause: bool = False,
        changed_input: Literal["refuse", "ignore"] = "refuse",
    ) -> Job:
        """Return a planned job, to iterate over what comes of its rows, or to `run()`.

        A job that was stopped, cancelled or killed is resumed the same way, at the exact row: calls
        that were done are not repeated. What was under way when a process was killed is looked up
        by its key, a hundred a call, and sent again only if it is not there; without a key it is
        Unknown, and never sent again.

        To iterate costs speed where no quota holds calls back: after each hundred outcomes, or two
        seconds after the first, the calls under way come to their end, and nothing runs until all
        of these were taken. `run()`, with a function that is called with each, never stops.

        Args:
            plan: The plan, or its journal.
            strategy: What creates many records in one call, if anything does.
            on_event: Called when the job has to wait for long, and when it goes on.
            stop: Ends the job when it is set, after the calls under way.
            stop_on_pause: Whether the job ends where it would wait for more than some minutes, as
                for the next day's quota. It is resumed later.
            changed_input: Whether a job may go on whose input file has another content now. The
                job's rows are those that were planned.

        Raises:
            JournalError: The journal cannot be used.
            PlanUnfinishedError: Its planning was cut short: plan again.
            JournalInUseError: Another job has it open.
            SourceError: The input has changed since it was planned.
        """
        journal = Journal.open(_path(plan))
        try:
            if changed_input == "refuse":
                _check_inputs(journal)
            return Job(
                self._crm,
                self._clock,
                journal,
                strategy=strategy,
                on_event=on_event,
                workers=self._workers,
                stop=stop,
                stop_on_pause=stop_on_pause,
                owns_journal=True,
            )
        except BaseException:
            journal.close()
            raise

    async def load(
        self,
        rows: Source | Load | list[Load],
        *,
        journal: str | Path | None = None,
        strategy: MultiWrite | None = None,
        progress: Callable[[int], object] | None = None,
        on_outcome: Callable[[Outcome], object] | None = None,
        on_event: Callable[[JobEvent], object] | None = None,
        **options: Unpack[LoadOptions],
    ) -> Report:
        """Plan and apply in one.

        A journal among the temporary files is deleted when every row is as it should be.

        Args:
            rows: As for `plan`.
            journal: As for `plan`.
            strategy: As for `plan`.
            progress: As for `plan`.
            on_outcome: Called with what comes of each row.
            on_event: As for `apply`.
            options: See `Load`.

        Raises:
            VtigerError: As `plan` and `apply`; where it has begun, the journal resumes it.
        """
        loads = _loads(rows, options)
        plan = await self.plan(loads, journal=journal, strategy=strategy, progress=progress)
        async with self.apply(plan, strategy=strategy, on_event=on_event) as job:
            report = await job.run(on_outcome)
        is_temporary = journal is None and not any(load.path for load in loads)
        if is_temporary and report.is_whole:
            await run_sync(plan.journal.unlink)
            report.journal = None
        return report

    async def report(self, journal: str | Path, *, files: str | Path | None = None) -> Report:
        """Return what came of a job so far, and write it into files where asked.

        Args:
            journal: The job's journal.
            files: The folder for the result files: those of `orgs.csv` are `orgs.success.csv`,
                `orgs.error.csv`, which can be loaded as it is, `orgs.unknown.csv`, whose creates
                may have happened, and `orgs.unprocessed.csv`. Only those with rows are written.

        Raises:
            JournalError: The journal cannot be used.
        """

        def read() -> Report:
            with closing(Journal.open(Path(journal))) as kept:
                if kept.state == "planning":
                    raise PlanUnfinishedError.of(kept.path)
                report = report_of(kept)
                if files is not None:
                    report.files = write_results(kept, Path(files))
                return report

        return await run_sync(read)

    async def undo(
        self,
        journal: str | Path,
        *,
        on_event: Callable[[JobEvent], object] | None = None,
        stop: anyio.Event | None = None,
    ) -> UndoReport:
        """Delete what a job has created, and restore what it has changed.

        Where someone has changed a record since, it is left alone, and told. Records that the job
        has deleted do not come back: Vtiger has no call for that. It can be ended at any instant,
        and called again.

        Args:
            journal: The job's journal.
            on_event: As for `apply`.
            stop: As for `apply`.

        Raises:
            JournalError: The journal cannot be used, or the job is of another instance.
        """
        kept = await run_sync(Journal.open, Path(journal))
        with closing(kept):
            return await undo_job(
                self._crm,
                self._clock,
                kept,
                on_event=on_event,
                workers=self._workers,
                stop=stop,
            )


def _loads(rows: Any, options: LoadOptions) -> list[Load]:
    given: list[Any] = rows if is_list(rows) else [rows]
    if given and all(isinstance(one, Load) for one in given):
        if options:
            raise InvalidArgumentError(f"a Load brings its options: leave out {', '.join(options)}")
        return given
    if "module" not in options:
        raise InvalidArgumentError("module has to be given: whose records the rows are")
    return [Load(rows=rows, **options)]


def _path(plan: Plan | str | Path) -> Path:
    return plan.journal if isinstance(plan, Plan) else Path(plan)


def _check_inputs(journal: Journal) -> None:
    """Refuse a job whose input is another one now; an input that is gone is not needed."""
    for info, name in zip(journal.loads, journal.fact("inputs") or (), strict=False):
        if name is None or info.fingerprint is None or not Path(name).is_file():
            continue
        if fingerprint_of(Path(name)) != info.fingerprint:
            raise SourceError(
                f"{name} has changed since the job was planned: plan it anew, or go on with the "
                "rows as they were by changed_input='ignore'"
            )
