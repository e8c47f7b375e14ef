"""Mappings as TOML: written by hand or from a mapping, and read with every fault named."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

import attrs

from vtiger_async.bulk.columns import Column
from vtiger_async.bulk.errors import MappingError
from vtiger_async.types import FieldValue, is_list, is_map

__all__ = ["mapping_text", "read_mapping"]

_ABOUT: Final = """\
# How the columns of an input become fields of a Vtiger module.
#
#   [columns]
#   "Name" = "accountname"          the column's field, by name or label
#   "Notes" = false                 not loaded
#
#   [columns."Since"]               or with more: field, values, default, date_format, decimal,
#   field = "cf_857"                grouping, zone, true, false, by, to, missing, ambiguous, nulls,
#   date_format = ["%d.%m.%Y"]      separator
#
#   [constants]                     the same value for every row, by field
#   "industry" = "Education"
"""
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_CONTROL: Final = re.compile(r'[\x00-\x1f\x7f"\\]')
_OPTIONS: Final = attrs.fields_dict(Column)
_TEXTS: Final = frozenset({"date_format", "true", "false"})
"""The options that are one text or several."""


def mapping_text(
    columns: Mapping[str, Column | None],
    constants: Mapping[str, FieldValue],
    reasons: Mapping[str, str],
) -> str:
    """Return a mapping as the text of a TOML file.

    Args:
        columns: By header; None for one that is not loaded.
        constants: By field.
        reasons: Why columns are not loaded, for the comments.

    Raises:
        MappingError: A constant has no form in TOML.
    """
    short, long = ["[columns]"], list[str]()
    for header, column in columns.items():
        if column is None:
            reason = _CONTROL.sub(" ", reasons.get(header, ""))
            short.append(f"{_key(header)} = false{f'  # {reason}' if reason else ''}")
            continue
        options = {
            name: value
            for name, value in attrs.asdict(column, recurse=False).items()
            if name != "field" and value != _default(name)
        }
        if not options:
            short.append(f"{_key(header)} = {_value(column.field, header)}")
            continue
        values = options.pop("values", {})
        path = f"columns.{_key(header)}"
        long += ["", f"[{path}]", f"field = {_value(column.field, header)}"]
        long += [f"{name} = {_value(value, name)}" for name, value in options.items()]
        if values:
            long += ["", f"[{path}.values]"]
            long += [f"{_key(text)} = {_value(value, text)}" for text, value in values.items()]
    if constants:
        long += ["", "[constants]"]
        long += [f"{_key(name)} = {_value(value, name)}" for name, value in constants.items()]
    return "\n".join([_ABOUT, *short, *long, ""])


def _default(name: str) -> object:
    default = _OPTIONS[name].default
    return {} if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]  # a class at run time


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _string(text)


def _string(text: str) -> str:
    def escaped(found: re.Match[str]) -> str:
        char = found[0]
        return _ESCAPES.get(char) or f"\\u{ord(char):04x}"

    return f'"{_CONTROL.sub(escaped, text)}"'


def _value(value: object, where: str) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _string(str.__str__(value))
        case int():
            return str(int(value))
        case Decimal() if value.is_finite():
            text = format(value, "f")
            return text if "." in text else f"{text}.0"
        case float() if value == value and abs(value) != float("inf"):
            return _value(Decimal(repr(float(value))), where)
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            pairs = (f"{_key(str(name))} = {_value(item, where)}" for name, item in value.items())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # of any types
            return f"{{ {', '.join(pairs)} }}"
        case Sequence() if not isinstance(value, bytes | bytearray):
            return f"[{', '.join(_value(item, where) for item in value)}]"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # of any types
        case _:
            raise MappingError(f"{where}: {value!r} cannot be written as TOML")


def read_mapping(text: str, where: str) -> tuple[dict[str, Column | None], dict[str, FieldValue]]:
    """Return the columns and the constants of a TOML file's text.

    Args:
        text: The text.
        where: The file's name, for messages.

    Raises:
        MappingError: It is no TOML, or has a key that is unknown or of the wrong type; its path is
            named.
    """
    try:
        # Decimal: a constant of 12.10 keeps its digits.
        found = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{where} is not TOML: {error}") from None
    for name in found:
        if name not in ("columns", "constants"):
            raise MappingError(f"{where}: {name}: there are columns and constants, and no other")
    columns = _table(found.get("columns", {}), f"{where}: columns")
    constants = _table(found.get("constants", {}), f"{where}: constants")
    read = {
        header: _column(value, f"{where}: columns.{_key(header)}")
        for header, value in columns.items()
    }
    return read, constants


def _table(value: object, path: str) -> dict[str, Any]:
    if not is_map(value):
        raise MappingError(f"{path}: a table is wanted, not {value!r}")
    return value


def _column(value: object, path: str) -> Column | None:
    if value is False:
        return None
    if isinstance(value, str):
        value = {"field": value}
    if not is_map(value):
        raise MappingError(f"{path}: a field's name, false or a table is wanted, not {value!r}")
    for name, option in value.items():
        if name not in _OPTIONS:
            raise MappingError(f"{path}.{name}: no such option; there are {', '.join(_OPTIONS)}")
        _check(name, option, f"{path}.{name}")
    if "field" not in value:
        raise MappingError(f"{path}.field is missing")
    try:
        return Column(**value)
    except MappingError as error:
        raise MappingError(f"{path}: {error.message}") from None


def _check(name: str, option: object, path: str) -> None:
    """Refuse an option of the wrong type."""
    if name == "values":
        for text, value in _table(option, path).items():
            _check("", value, f"{path}.{_key(text)}")
    elif name in _TEXTS and is_list(option):
        for value in option:
            _check("", value, path)
    elif not isinstance(option, str):
        raise MappingError(f"{path}: text is wanted, not {option!r}")
