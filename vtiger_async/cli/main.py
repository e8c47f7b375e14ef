"""`vtiger-async`: the commands."""

from __future__ import annotations

import sys
from typing import Annotated, Any, cast

import typer
from attrs import asdict

from vtiger_async import __version__
from vtiger_async.cli import imports, quota, sandbox
from vtiger_async.cli.demo import demo
from vtiger_async.cli.exits import ExitCode, fail, note
from vtiger_async.cli.exports import export
from vtiger_async.cli.fields import json_object, named_values
from vtiger_async.cli.mirror import mirror
from vtiger_async.cli.output import is_list
from vtiger_async.cli.record import SETTINGS, record
from vtiger_async.cli.record_tour import tour
from vtiger_async.cli.session import Job, Session, connected
from vtiger_async.errors import (
    InvalidArgumentError,
    QuotaExhaustedError,
    RateLimitError,
    TransportError,
)
from vtiger_async.models.metadata import Field
from vtiger_async.models.records import Record
from vtiger_async.vtql import parse

__all__ = ["app"]

app = typer.Typer(
    name="vtiger-async",
    help="The command line of vtiger_async, a client of Vtiger CRM's REST API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
"""The command line."""

app.command()(demo)
app.command()(export)
app.command(context_settings=SETTINGS)(record)
app.command()(tour)
app.command()(mirror)
app.add_typer(imports.app, name="import")
app.add_typer(quota.app, name="quota")
app.add_typer(sandbox.app, name="sandbox")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="A record's id, as 3x42.")]
ModuleArgument = Annotated[str, typer.Argument(metavar="MODULE", help="As Contacts.")]
FieldArguments = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Fields of the record.")
]
JsonOption = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="A JSON object with fields; - reads it from standard input. Arguments win over it.",
    ),
]


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - the signature that typer calls
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version, and exit."
        ),
    ] = False,
) -> None:
    """Set up what all commands share: nothing but the option that shows the version."""


@app.command()
@connected
def whoami() -> Job:
    """Show the user whose access key is used."""

    async def job(session: Session) -> None:
        session.out.record(await session.crm.me())

    return job


@app.command()
@connected
def modules() -> Job:
    """List the modules that the user may see."""

    async def job(session: Session) -> None:
        with session.out.rows() as writer:
            for info in await session.crm.list_types():
                writer.add(asdict(info))

    return job


@app.command()
@connected
def describe(module: ModuleArgument) -> Job:
    """List the fields of a module.

    `call GET describe elementType=MODULE` shows everything that the server says of it.
    """

    async def job(session: Session) -> None:
        with session.out.rows() as writer:
            for field in (await session.crm.describe(module)).fields.values():
                writer.add(_field(field))

    return job


def _field(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": field.label,
        "type": field.type.name,
        "mandatory": field.mandatory,
        "editable": field.editable,
        "unique": field.unique,
        "default": field.default,
        "refers_to": list(field.type.refers_to),
        "values": [value.value for value in field.type.picklist_values],
    }


@app.command()
@connected
def query(
    vtql: Annotated[
        str,
        typer.Argument(metavar="VTQL", help="As 'SELECT lastname FROM Contacts;', in quotes."),
    ],
    limit: Annotated[int | None, typer.Option(min=0, help="The most records.")] = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on where the same command was stopped.")
    ] = None,
) -> Job:
    """Read the records of a statement, all of its pages, and write them as they come."""
    statement = parse(vtql)
    if limit is not None and (statement.limit_to is None or limit < statement.limit_to):
        statement = statement.limit(limit)

    async def job(session: Session) -> None:
        found = session.crm.query(statement, resume=resume)
        if statement.is_count:
            session.out.record({"count": await found.count()})
            return
        with session.out.rows() as writer:
            try:
                async for page in found.pages():
                    for record in page:
                        writer.add(record)
                    writer.flush()
            except (QuotaExhaustedError, RateLimitError, TransportError):
                note(f"to go on, give the same command with: --resume {found.resume_token}")
                raise

    return job


@app.command()
@connected
def get(record_id: IdArgument) -> Job:
    """Show one record, whole."""

    async def job(session: Session) -> None:
        session.out.record(await session.crm.retrieve(record_id))

    return job


@app.command()
@connected
def create(
    module: ModuleArgument, fields: FieldArguments = None, json_source: JsonOption = None
) -> Job:
    """Create a record, and show it as stored."""
    given = _given(fields, json_source)

    async def job(session: Session) -> None:
        session.out.record(await session.crm.create(module, given))

    return job


@app.command()
@connected
def update(
    record_id: IdArgument, fields: FieldArguments = None, json_source: JsonOption = None
) -> Job:
    """Change a record, restating its mandatory fields, and show it as stored."""
    given = _given(fields, json_source)

    async def job(session: Session) -> None:
        session.out.record(await session.crm.update(record_id, given))

    return job


@app.command()
@connected
def revise(
    record_id: IdArgument, fields: FieldArguments = None, json_source: JsonOption = None
) -> Job:
    """Change some fields of a record, and show it as stored; NAME= clears a field."""
    given = _given(fields, json_source)

    async def job(session: Session) -> None:
        session.out.record(await session.crm.revise(record_id, given))

    return job


def _given(fields: list[str] | None, json_source: str | None) -> dict[str, Any]:
    given = {**json_object(json_source), **named_values(fields or ())}
    if not given:
        raise InvalidArgumentError("no fields: give NAME=VALUE arguments, or --json FILE")
    return given


@app.command()
@connected
def delete(
    record_id: IdArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> Job:
    """Delete a record, after asking on a terminal."""
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidArgumentError("delete asks on a terminal; without one, give --yes")
        if not typer.confirm(f"Delete {record_id}?", err=True):
            raise fail("nothing was deleted", ExitCode.ERROR)

    async def job(session: Session) -> None:
        await session.crm.delete(record_id)
        session.out.record({"id": record_id, "deleted": True})

    return job


@app.command()
@connected
def call(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="GET or POST.")],
    operation: Annotated[
        str,
        typer.Argument(
            metavar="OPERATION", help="An operation's name, or a path as /restapi/vtap/api/orders."
        ),
    ],
    params: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Sent as they are.")
    ] = None,
) -> Job:
    """Make any call, and show its result as the server sent it, but for secrets of users."""
    values = named_values(params or ())

    async def job(session: Session) -> None:
        result = await session.crm.call(method, operation, values)
        session.out.value(_without_secrets(result))

    return job


def _without_secrets(result: Any) -> Any:
    """Return a result without the access keys and password hashes that some answers hold."""
    if isinstance(result, dict):
        return Record.of(cast("dict[str, Any]", result)).fields
    if is_list(result):
        return [_without_secrets(item) for item in result]
    return result
