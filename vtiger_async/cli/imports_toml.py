"""A file that says what is to be loaded: several inputs, for several modules, in one job."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

from vtiger_async.bulk import Load
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.types import is_list, is_map

__all__ = ["read_loads"]

_TEXTS: Final = (
    "file", "module", "mode", "map", "owner", "repeats", "nulls", "missing", "ambiguous", "mark",
    "format", "delimiter", "encoding",
)  # fmt: skip
_KNOWN: Final = (*_TEXTS, "key", "set")


def read_loads(path: Path) -> tuple[Load, ...]:
    """Return the loads that a TOML file describes, each in a table `[[load]]`.

    The names are those of the options on the command line. Files are looked for beside it.

    Args:
        path: The file.

    Raises:
        InvalidArgumentError: It cannot be read, or a key is not known, is missing, or has a value
            that it cannot have; the key is named.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except OSError as error:
        raise InvalidArgumentError(f"{path.name} cannot be read: {error.strerror}") from None
    except ValueError as error:  # also of text that is no UTF-8
        raise InvalidArgumentError(f"{path.name} is not TOML: {error}") from None
    tables = found.pop("load", None)
    if found:
        raise InvalidArgumentError(
            f"{path.name}: {next(iter(found))!r} is not known: each input is a table [[load]]"
        )
    if not is_list(tables) or not tables or not all(is_map(table) for table in tables):
        raise InvalidArgumentError(
            f"{path.name} names no input: each is a table [[load]] with file, module, key, ..."
        )
    return tuple(
        _load(table, path, f"{path.name}: load {number}") for number, table in enumerate(tables, 1)
    )


def _load(table: Mapping[str, Any], path: Path, where: str) -> Load:
    for name, value in table.items():
        fault = _fault(name, value)
        if fault:
            raise InvalidArgumentError(f"{where}: {name}: {fault}")
    for name in ("file", "module"):
        if name not in table:
            raise InvalidArgumentError(f"{where}: {name} is missing")
    options = dict(table)
    rows = path.parent / options.pop("file")
    if "map" in options:
        options["mapping"] = path.parent / options.pop("map")
    if "set" in options:
        options["constants"] = options.pop("set")
    if not rows.is_file():
        raise InvalidArgumentError(f"{where}: file: {rows} is not there")
    try:
        return Load(rows=rows, **options)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{where}: {error}") from None


def _fault(name: str, value: object) -> str:
    """Return what is wrong with a key; empty if nothing is."""
    if name not in _KNOWN:
        return f"not known: known are {', '.join(_KNOWN)}"
    if name == "set":
        return "" if is_map(value) else "a table of fields is wanted, as { industry = 'Education' }"
    if name == "key" and is_list(value):
        texts = cast("list[object]", value)
        return "" if all(isinstance(text, str) for text in texts) else "a list of fields is wanted"
    return "" if isinstance(value, str) else f"text is wanted, not {value!r}"
