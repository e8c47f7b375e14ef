"""`vtiger-async demo`: the main job, from a file into a CRM and back, on a simulated instance."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import anyio
import typer
from attrs import frozen
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from vtiger_async.cli.demo_load import MODULE, Advance, load
from vtiger_async.cli.demo_report import LABELS, Claim, Run, check, hours, report, time_for
from vtiger_async.cli.exits import ExitCode, exits, fail, note
from vtiger_async.cli.organisations import FIELDS, Organisations, read_organisations
from vtiger_async.cli.output import Format, Output
from vtiger_async.cli.session import OutputOption
from vtiger_async.client import VtigerClient
from vtiger_async.clock import ScaledClock
from vtiger_async.editions import Limits, edition_named, limits_of
from vtiger_async.vtql import F, select

if TYPE_CHECKING:
    from vtiger_async.sandbox import Sandbox

__all__ = ["demo", "run_demo", "speed_for"]

T = TypeVar("T")

_WORKERS: Final = 8  # as many as may be in flight; a task per row would only queue
_CHANGED, _DELETED = 20, 40  # one record of so many
_CALLS_A_SECOND: Final = 150.0  # what one process does with ease, client and sandbox together
_LONGEST: Final = 60.0  # seconds that a run may take by default, where the limits make it longer


def demo(
    *,
    input_file: Annotated[
        Path | None,
        typer.Option(
            "--input",
            exists=True,
            dir_okay=False,
            help="A CSV file of organisations, in place of the one that comes along.",
        ),
    ] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="Only the first rows of it.")] = None,
    edition: Annotated[str, typer.Option(help="Whose limits hold.")] = "one-professional",
    users: Annotated[int, typer.Option(min=0, help="Paid users: more calls a day.")] = 5,
    speed: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="How many times as fast time runs. Chosen for a run of seconds, if not given.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="What the CRM's records and the choice of rows are drawn from.")
    ] = 0,
    output: OutputOption = None,
) -> None:
    """Run the main job on a simulated Vtiger: import a file under the limits, and check the result.

    A bulk job creates the rows of the file; the same import again finds nothing to write. They are
    read back, some of them changed and some deleted; the sync is followed. The limits are those of
    the edition, on a clock that runs fast. What is reported is then compared with the simulated
    instance's own books.
    """  # fmt: skip
    with exits():
        organisations = read_organisations(input_file, rows)
        limits = limits_of(edition, users=users)
        factor = speed or speed_for(len(organisations.rows), limits)
        try:
            from vtiger_async.sandbox import Sandbox  # it needs its extra, the other commands not
        except ImportError as error:
            text = f"the demo needs {error.name}: pip install 'vtiger-async[sandbox]'"
            raise fail(text, ExitCode.USAGE) from None
        note(
            f"{organisations.source}: {organisations.total} rows; a simulated "
            f"{edition_named(edition).title} with {users} users, {factor:g} times as fast as real"
        )
        if organisations.unknown:
            note(f"not imported: the columns {', '.join(organisations.unknown)}")
        with Sandbox(edition, users, seed, clock=ScaledClock(factor)) as sandbox:
            run = anyio.run(_shown, sandbox, organisations, limits, seed)
            books = sandbox.ledger()
        claims = check(run, books)
        found = report(run, organisations, edition, limits, books, claims)
        _show(Output.on_stdout(output), found)
        _conclude(claims, run, len(organisations.rows))


def speed_for(rows: int, limits: Limits) -> float:
    """Return how fast time should run by default, for so many rows under these limits.

    So fast that the minute's calls come as fast as one process does them with ease; and faster,
    where the hour or the day would make the run longer than a minute.
    """
    by_minute = _CALLS_A_SECOND * 60.0 / (limits.minute or 60)
    least, _ = time_for(int(rows * 1.2) + 10, limits)
    return float(round(max(by_minute, least / _LONGEST)))


async def _shown(sandbox: Sandbox, organisations: Organisations, limits: Limits, seed: int) -> Run:
    """Run the demo with progress bars on a terminal, or lines elsewhere, on stderr."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks: dict[str, Any] = {}

        def advance(phase: str, total: int | None = None) -> None:
            if total is None:
                progress.advance(tasks[phase])
                return
            tasks[phase] = progress.add_task(phase, total=total)
            if progress.disable:
                note(f"{phase}: {total}")

        return await run_demo(sandbox, organisations, limits, seed, advance)


async def run_demo(
    sandbox: Sandbox, organisations: Organisations, limits: Limits, seed: int, advance: Advance
) -> Run:
    """Do the main job in a sandbox, and return what the client saw of it.

    Args:
        sandbox: The instance.
        organisations: The input.
        limits: The limits that the client is told of.
        seed: What the choice of the records to change and delete is drawn from.
        advance: Shows progress.
    """
    clock, run = sandbox.clock, Run()
    began, began_really = clock.time(), time.monotonic()
    # A batch job has all the time that the limits want; it never gives up for want of quota.
    async with sandbox.client(limits=limits, max_wait=math.inf, max_in_flight=_WORKERS) as crm:
        owner = (await crm.me()).id
        before = crm.sync(MODULE, since=began)
        async for _ in before:
            pass
        cursor = before.cursor
        await load(crm, organisations.rows, owner, run, advance)
        await _read_back(crm, began, run, advance)
        chosen = _Choice.of(list(run.created), seed)
        await _change(crm, chosen, run, advance)
        await _follow(crm, cursor, run, advance)
        run.quota = crm.quota
    run.seconds, run.real_seconds = clock.time() - began, time.monotonic() - began_really
    return run


async def _each(
    items: Iterable[T],
    phase: str,
    total: int,
    work: Callable[[T], Awaitable[None]],
    advance: Advance,
) -> None:
    """Do the work for each item, a few at once: workers share one iterator."""
    advance(phase, total)
    queue = iter(items)

    async def worker() -> None:
        for item in queue:
            await work(item)
            advance(phase)

    async with anyio.create_task_group() as group:
        for _ in range(_WORKERS):
            group.start_soon(worker)


async def _read_back(crm: VtigerClient, began: float, run: Run, advance: Advance) -> None:
    advance("read back", len(run.created))
    since = datetime.fromtimestamp(int(began), UTC)
    async for record in crm.query(select(MODULE, *FIELDS).where(F.createdtime >= since)):
        run.read.append(record)
        advance("read back")


@frozen
class _Choice:
    """The records that are changed, and those that are deleted; none is both."""

    changed: list[str]
    deleted: list[str]

    @classmethod
    def of(cls, ids: list[str], seed: int) -> _Choice:
        many, few = math.ceil(len(ids) / _CHANGED), math.ceil(len(ids) / _DELETED)
        chosen = random.Random(seed).sample(ids, min(len(ids), many + few))  # noqa: S311 - no secret
        return cls(chosen[:many], chosen[many:])


async def _change(crm: VtigerClient, chosen: _Choice, run: Run, advance: Advance) -> None:
    async def revise(record_id: str) -> None:
        await crm.revise(record_id, {"description": "Changed by the demo"})
        run.changed.append(record_id)

    async def delete(record_id: str) -> None:
        await crm.delete(record_id)
        run.deleted.append(record_id)

    await _each(chosen.changed, "change", len(chosen.changed), revise, advance)
    await _each(chosen.deleted, "delete", len(chosen.deleted), delete, advance)


async def _follow(crm: VtigerClient, cursor: str, run: Run, advance: Advance) -> None:
    advance("sync", len(run.created))
    async for change in crm.sync(MODULE, since=cursor):
        (run.upserts if change.kind == "upsert" else run.deletes).append(change.id)
        advance("sync")


def _show(out: Output, found: dict[str, Any]) -> None:
    """Write the report: with names and times for people, as it is for programs."""
    if out.format is not Format.TABLE:
        out.record(found)
        return
    shown = {
        name: f"{value:,}" if isinstance(value, int) else value for name, value in found.items()
    }
    for name in ("instance_seconds", "least_seconds"):
        shown[name] = f"{hours(found[name])} h"
    out.record({LABELS[name]: value for name, value in shown.items()})


def _conclude(claims: Iterable[Claim], run: Run, rows: int) -> None:
    """End the command by what turned out: false claims, or rows that are no records."""
    false = [claim for claim in claims if claim.faults]
    for claim in false:
        note(f"error: false claim: {claim.text}: {'; '.join(claim.faults)}")
    if false:
        raise typer.Exit(ExitCode.ERROR)
    if left := run.rejected + run.failed:
        text = f"{left:,} of {rows:,} rows were not imported: "
        text += f"{run.rejected:,} rejected before a call, {run.failed:,} refused by Vtiger"
        raise fail(text, ExitCode.PARTLY)
