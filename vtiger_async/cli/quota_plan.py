"""`vtiger-async quota plan`: how long so many calls take."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from vtiger_async.cli.output import Format, Output
from vtiger_async.cli.quota_view import moment
from vtiger_async.cli.session import Connection, Session, with_connection
from vtiger_async.clock import SystemClock
from vtiger_async.editions import limits_of
from vtiger_async.errors import ConfigurationError, InvalidArgumentError
from vtiger_async.quota import Ledger
from vtiger_async.quota.costs import span
from vtiger_async.quota.plan import Plan
from vtiger_async.quota.snapshot import Quota

__all__ = ["SpreadChoice", "plan", "share_of", "told"]


class SpreadChoice(StrEnum):
    """How the day is used up."""

    EVEN = "even"
    FAST = "fast"


def share_of(text: str) -> float:
    """Return the share that `20%` or `0.2` says.

    Raises:
        InvalidArgumentError: It says none from 0 to below 1.
    """
    bare = text.strip()
    try:
        share = float(bare[:-1]) / 100 if bare.endswith("%") else float(bare)
    except ValueError:
        share = math.nan
    if not 0 <= share < 1:
        raise InvalidArgumentError(
            f"--reserve is a share of the day as 20% or 0.2, from 0 to below 1, not {text!r}"
        )
    return share


@with_connection
def plan(
    *,
    calls: Annotated[int, typer.Option("--calls", "-n", min=0, help="Calls of the job.")],
    spread: Annotated[
        SpreadChoice,
        typer.Option(help="Use up the day as minute and hour allow, or evenly over all of it."),
    ] = SpreadChoice.FAST,
    reserve: Annotated[
        str, typer.Option(metavar="SHARE", help="What is left of the day to others, as 20%.")
    ] = "0%",
    no_call: Annotated[
        bool,
        typer.Option("--no-call", help="Plan by --edition and --users alone, as for a fresh day."),
    ] = False,
    connection: Connection,
) -> None:
    """Tell how long so many calls take, which window binds when, and how much of the day goes.

    With an instance it costs one call: the answer says what is left, and what others take. Without
    one, or with --no-call, it costs none: --edition says what an instance that nobody has called
    today grants.
    """
    share = share_of(reserve)
    options: dict[str, Any] = {"spread": spread.value, "reserve": share}
    if connection.url and not no_call:

        async def job(session: Session) -> None:
            await session.crm.me()
            _show(session.out, session.crm.quota.plan(calls), "one call's answer")

        connection.run(job, connection.client(**options))
        return
    if not connection.edition:
        raise ConfigurationError(
            "nothing to plan by: give --edition, or an instance with --url or VTIGER_URL"
        )
    limits = limits_of(connection.edition, users=connection.users)
    ledger = Ledger(limits, spread.value, share)
    now = SystemClock().time()
    quota = Quota(*ledger.uses(now), 0, 0, datetime.fromtimestamp(now, UTC), 0.0, ledger)
    _show(Output.on_stdout(connection.output), quota.plan(calls), "the edition")


def _show(out: Output, plan: Plan, source: str) -> None:
    found = told(plan, source)
    if out.format is not Format.TABLE:
        out.record(found)
        return
    stretches = found.pop("binds")
    if plan.day_share is not None:
        found["day_share"] = f"{plan.day_share:.1%}"
    out.record(found)
    with out.rows() as writer:
        for stretch in stretches:
            writer.add({"binds": stretch.pop("window"), **stretch})


def told(plan: Plan, source: str) -> dict[str, Any]:
    """Return a plan as plain JSON has it.

    Args:
        plan: The plan.
        source: What it goes by.
    """
    endless = math.isinf(plan.seconds)
    return {
        "calls": plan.calls,
        "takes": "over a year" if endless else span(plan.seconds),
        "seconds": None if endless else round(plan.seconds, 1),
        "ends_at": moment(plan.ends_at),
        "day_share": None if plan.day_share is None else round(plan.day_share, 4),
        "by": source,
        "binds": [
            {
                "window": stretch.window,
                "from": moment(stretch.start),
                "until": moment(stretch.end),
                "calls": stretch.calls,
            }
            for stretch in plan.stretches
        ],
    }
