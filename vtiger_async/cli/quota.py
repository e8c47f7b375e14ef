"""`vtiger-async quota`: what is left, who takes it, and how far it goes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import anyio
import typer
from typer.core import TyperGroup

from vtiger_async.cli.exits import ExitCode, fail
from vtiger_async.cli.output import Format, Output
from vtiger_async.cli.quota_plan import plan
from vtiger_async.cli.quota_view import Picture, of_process, of_store, plain
from vtiger_async.cli.quota_watch import shown_on, watch, whole
from vtiger_async.cli.session import Connection, Session, with_connection
from vtiger_async.client import VtigerClient
from vtiger_async.clock import SystemClock
from vtiger_async.config import base_url
from vtiger_async.errors import ConfigurationError
from vtiger_async.stores import QuotaStore, StoreError

__all__ = ["app"]

_INTERVAL = 1.0
"""Seconds from one look to the next, if no others are asked for."""


class _ShowsByDefault(TyperGroup):
    """`quota` alone, and with options, is `quota show`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        asked = (*self.commands, *ctx.help_option_names)
        return super().parse_args(ctx, args if args and args[0] in asked else ["show", *args])


app = typer.Typer(
    cls=_ShowsByDefault,
    help="Show what is left of the quota, and plan with it. Without a command: show.",
)
"""The commands under `vtiger-async quota`."""

app.command()(plan)


@app.command()
@with_connection
def show(
    *,
    no_call: Annotated[
        bool,
        typer.Option("--no-call", help="Spend no call: ask the shared store of --quota-store."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="All that is known, as one JSON object.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--watch", help="Bars that follow it, until Ctrl-C ends them.")
    ] = False,
    interval: Annotated[
        float | None, typer.Option(min=0.1, help="With --watch: seconds between two looks; 1.")
    ] = None,
    call_every: Annotated[
        float | None,
        typer.Option(min=1, help="With --watch: spend a call every so many seconds."),
    ] = None,
    connection: Connection,
) -> None:
    """Show what is left of each window, who has taken it, and when the next call can go.

    It costs one call, whose answer tells of minute and day. No answer tells of the hour: its limit
    is known by --edition, and of its calls only those that were counted. With --no-call it costs
    none: the store tells of all processes that share it.

    --watch follows it. With a store it makes no call, and shows who waits. Without one it makes one
    call at the beginning, and knows of others again only with --call-every. Into a pipe it writes
    a line of JSON for each look.
    """
    _check(connection, no_call=no_call, live=live, only_live=(interval, call_every))
    _check_form(connection.output, as_json=as_json, live=live)
    try:
        if live:
            lines = as_json or connection.output is Format.JSONL
            _watch(connection, interval or _INTERVAL, call_every, as_json=lines)
        else:
            _show(connection, no_call=no_call, as_json=as_json)
    except StoreError as error:
        raise fail(f"the store cannot be used: {error}", ExitCode.UNAVAILABLE) from None


def _check(
    connection: Connection, *, no_call: bool, live: bool, only_live: Sequence[float | None]
) -> None:
    if no_call and connection.store is None:
        raise ConfigurationError(
            "--no-call: nobody else knows; share the quota with --quota-store or VTIGER_QUOTA"
        )
    if not live and any(option is not None for option in only_live):
        raise ConfigurationError("--interval and --call-every go with --watch")
    if no_call and only_live[-1] is not None:
        raise ConfigurationError("--call-every makes calls, and --no-call makes none")


def _check_form(output: Format | None, *, as_json: bool, live: bool) -> None:
    if output is not None and as_json:
        raise ConfigurationError("--json is one object, and --output has rows: give one of them")
    if live and output not in (None, Format.JSONL):
        raise ConfigurationError("--watch draws bars, or writes lines: -o jsonl, or --json")


def _show(connection: Connection, *, no_call: bool, as_json: bool) -> None:
    store = connection.store
    pictures: list[Picture] = []
    if not no_call:

        async def job(session: Session) -> None:
            await session.crm.me()
            pictures.append(of_process(session.crm.quota))

        connection.run(job, connection.client())
    if store is not None:
        # By now the client has told the store what the answer said.
        pictures.append(anyio.run(_look_into, store, _instance(connection)))
    picture = pictures[-1]
    out = Output.on_stdout(connection.output)
    if as_json:
        out.stream.write(json.dumps(whole(picture)) + "\n")
        return
    with out.rows() as writer:
        for standing in picture.windows:
            writer.add(plain(standing))


def _watch(
    connection: Connection, interval: float, call_every: float | None, *, as_json: bool
) -> None:
    store = connection.store
    if store is not None and call_every is None:
        anyio.run(_watch_store, store, _instance(connection), interval, as_json)
        return

    async def job(session: Session) -> None:
        calls = _Calls(session.crm, call_every)

        async def look() -> Picture:
            await calls.make()
            if store is not None:
                return await _look_into(store, session.crm.url)
            return of_process(session.crm.quota)

        with shown_on(sys.stdout, as_json=as_json) as shown:
            await watch(look, shown, SystemClock(), interval, calls.told)

    connection.run(job, connection.client())


async def _watch_store(store: QuotaStore, instance: str, interval: float, as_json: bool) -> None:  # noqa: FBT001 - anyio.run gives arguments by their place
    async def look() -> Picture:
        return await _look_into(store, instance)

    def told() -> tuple[str, ...]:
        return ("from the store; no call is made",)

    with shown_on(sys.stdout, as_json=as_json) as shown:
        await watch(look, shown, SystemClock(), interval, told)


class _Calls:
    """The calls of a watch: one at the beginning, and more only where they were asked for."""

    def __init__(self, crm: VtigerClient, every: float | None) -> None:
        self._crm, self._every, self._clock = crm, every, SystemClock()
        self._made, self._last = 0, 0.0

    async def make(self) -> None:
        """Make a call if it is time for one."""
        now = self._clock.monotonic()
        if self._made and (self._every is None or now - self._last < self._every):
            return
        await self._crm.me()
        self._made, self._last = self._made + 1, self._clock.monotonic()

    def told(self) -> tuple[str, ...]:
        """Return what there is to say of them."""
        age = self._clock.monotonic() - self._last
        text = f"{self._made} call{'s' if self._made > 1 else ''} made, the last {age:.0f} s ago"
        return (text if self._every else f"{text}; --call-every makes more",)


async def _look_into(store: QuotaStore, instance: str) -> Picture:
    return of_store(await store.peek(instance))


def _instance(connection: Connection) -> str:
    if not connection.url:
        raise ConfigurationError("no instance: give --url, or set VTIGER_URL")
    return base_url(connection.url)
