"""What `vtiger-async import` is to load: the options of a command, or a file that describes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from attrs import frozen

from vtiger_async.bulk import FieldMapping, Load
from vtiger_async.bulk.options import Ambiguous, Missing, Mode, Nulls, Repeats
from vtiger_async.bulk.sources import open_rows
from vtiger_async.cli.fields import named_values
from vtiger_async.cli.imports_toml import read_loads
from vtiger_async.cli.sharing import sharing
from vtiger_async.client import VtigerClient
from vtiger_async.errors import InvalidArgumentError

__all__ = ["Input", "save_map", "with_input"]

_PANEL = "Input"


@frozen
class Input:
    """What is to be loaded.

    Attributes:
        loads: The inputs with their options.
        journal: Where the plan is to be kept; None for beside the first input.
        map_file: Where the mapping is to be written; None for nowhere.
    """

    loads: tuple[Load, ...]
    journal: Path | None
    map_file: Path | None


def with_input(body: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has the options of an input besides those of `body`.

    `body` is called with its own, and with the others as `given`, an `Input`.
    """
    return sharing(body, "given", _input, first=True)


def _input(
    *,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="CSV, JSON lines or Parquet; or a TOML file that describes several inputs.",
        ),
    ],
    module: Annotated[
        str | None, typer.Option("-m", "--module", help="Whose records the rows are, as Accounts.")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "-k", "--key", help="The field by which a row and a record are the same; or several."
        ),
    ] = None,
    mode: Annotated[
        Mode | None, typer.Option(help="What becomes of a row: with a key, upsert; else create.")
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="FILE.toml",
            exists=True,
            dir_okay=False,
            help="Which column becomes which field; found by names and labels, if not given.",
        ),
    ] = None,
    map_file: Annotated[
        Path | None,
        typer.Option(
            "--save-map", metavar="FILE.toml", help="Write the mapping there, to go on from."
        ),
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="Whose new records are: me, an id, a user's or group's name.")
    ] = None,
    constants: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A value that every row has."),
    ] = None,
    repeats: Annotated[
        Repeats | None, typer.Option(help="Which of several rows with one key counts.")
    ] = None,
    nulls: Annotated[
        Nulls | None, typer.Option(help="What an empty cell does to a record that is there.")
    ] = None,
    missing: Annotated[
        Missing | None, typer.Option(help="Where no record has the value of a reference.")
    ] = None,
    ambiguous: Annotated[
        Ambiguous | None, typer.Option(help="Where several records have a value looked for.")
    ] = None,
    mark: Annotated[
        str | None,
        typer.Option(help="Without a key: a text field that may hold what identifies a row."),
    ] = None,
    format_: Annotated[
        Literal["csv", "jsonl", "parquet"] | None,
        typer.Option("--format", help="Where the suffix does not tell.", rich_help_panel=_PANEL),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(help="Between the cells of CSV; else found out.", rich_help_panel=_PANEL),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of a text file; else UTF-8.", rich_help_panel=_PANEL)
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(help="Keep the job there, and not beside the input.", dir_okay=False),
    ] = None,
) -> Input:
    """Return what the options describe."""
    options: dict[str, Any] = {
        "module": module, "key": key, "mode": mode, "mapping": mapping, "owner": owner,
        "constants": named_values(constants or ()), "repeats": repeats, "nulls": nulls,
        "missing": missing, "ambiguous": ambiguous, "mark": mark, "format": format_,
        "delimiter": delimiter, "encoding": encoding,
    }  # fmt: skip
    options = {name: value for name, value in options.items() if value not in (None, [], {})}
    if map_file is not None and map_file.exists():
        raise InvalidArgumentError(f"--save-map: {map_file} is there already")
    if file.suffix.lower() != ".toml":
        if module is None:
            raise InvalidArgumentError("no module: give --module, whose records the rows are")
        return Input((Load(rows=file, **options),), journal, map_file)
    if options or map_file is not None:
        names = {"mapping": "map", "constants": "set"}
        given = [f"--{names.get(name, name)}" for name in options]
        given += ["--save-map"] if map_file is not None else []
        raise InvalidArgumentError(
            f"{', '.join(given)}: {file.name} describes its inputs itself, each in a [[load]]"
        )
    return Input(read_loads(file), journal, None)


async def save_map(crm: VtigerClient, given: Input) -> None:
    """Write the mapping of the only input, if that was asked for.

    Args:
        crm: The client, which has described the module already.
        given: What was asked for.

    Raises:
        InvalidArgumentError: The file cannot be written.
    """
    if given.map_file is None:
        return
    (load,) = given.loads
    rows = open_rows(
        load.rows, format=load.format, delimiter=load.delimiter, encoding=load.encoding
    )
    try:
        columns = await rows.peek()
    finally:
        await rows.aclose()
    mapping = FieldMapping.of(
        load.mapping,
        columns,
        await crm.describe(load.module),
        constants=load.constants,
        is_regular=rows.is_regular,
    )
    try:
        mapping.save(given.map_file)
    except OSError as error:
        text = f"--save-map: {given.map_file} cannot be written: {error.strerror}"
        raise InvalidArgumentError(text) from None
