"""The demo's input: a CSV file of organisations, read into fields of the module Accounts."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

from attrs import frozen

from vtiger_async.bulk.keys import folded
from vtiger_async.errors import InvalidArgumentError

__all__ = ["FIELDS", "Organisations", "read_organisations"]

BUNDLED: Final = "organisations.csv"
"""The file that comes with the package: four hundred organisations that do not exist."""

FIELDS: Final = {
    "accountname": ("organization name", "organisation name", "account name", "company", "name"),
    "website": ("url", "web page"),
    "phone": ("primary phone",),
    "email1": ("email", "e-mail", "primary email"),
    "bill_street": ("billing address", "street"),
    "bill_city": ("billing city", "city"),
    "bill_state": ("billing state", "state"),
    "bill_code": ("billing postal code", "postal code", "zip"),
    "bill_country": ("billing country", "country"),
    "description": ("domains", "notes"),
}
"""The fields that are filled, with the headers that a file may have for each besides its name."""

_BY_HEADER = {header: name for name, others in FIELDS.items() for header in (name, *others)}


@frozen
class Organisations:
    """The rows of a file that are worth a call each.

    Attributes:
        source: The file's name.
        rows: Fields by name, empty ones left out; no two rows have the same name.
        total: Rows in the file.
        repeated: Rows left out since an earlier one has the name: it is unique in the CRM.
        unnamed: Rows left out since they have no name.
        unknown: Headers that stand for no field.
    """

    source: str
    rows: tuple[dict[str, str], ...]
    total: int
    repeated: int
    unnamed: int
    unknown: tuple[str, ...]


def read_organisations(path: Path | None, limit: int | None) -> Organisations:
    """Return the organisations of a file.

    Args:
        path: A CSV file in UTF-8 with a header; None for the bundled one.
        limit: The most rows to read.

    Raises:
        InvalidArgumentError: The file is no such CSV, or no header stands for the name.
    """
    source = BUNDLED if path is None else path.name
    try:
        with _opened(path) as lines:
            reader = csv.reader(lines)
            headers = next(reader, list[str]())
            filled = (cells for cells in reader if cells)
            rows = [_fields(headers, cells) for cells in islice(filled, limit)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidArgumentError(f"{source} is not CSV in UTF-8: {error}") from None
    if not any(_field_of(header) == "accountname" for header in headers):
        raise InvalidArgumentError(
            f"{source}: no column holds the organisation's name; its header is one of "
            f"{', '.join(('accountname', *FIELDS['accountname']))}"
        )
    kept = tuple(_without_repeats(rows))
    unnamed = sum("accountname" not in row for row in rows)
    return Organisations(
        source=source,
        rows=kept,
        total=len(rows),
        repeated=len(rows) - len(kept) - unnamed,
        unnamed=unnamed,
        unknown=tuple(header for header in headers if _field_of(header) is None),
    )


@contextmanager
def _opened(path: Path | None) -> Generator[TextIO]:
    if path is None:
        with as_file(files("vtiger_async.cli") / BUNDLED) as bundled, _opened(bundled) as lines:
            yield lines
    else:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield lines


def _field_of(header: str) -> str | None:
    return _BY_HEADER.get(header.strip().casefold())


def _fields(headers: Iterable[str], cells: Iterable[str]) -> dict[str, str]:
    """Return the fields of one row; the first of two columns for a field that has a value wins."""
    row: dict[str, str] = {}
    for header, cell in zip(headers, cells, strict=False):
        field, text = _field_of(header), cell.strip()
        if field and text:
            row.setdefault(field, text)
    return row


def _without_repeats(rows: Iterable[dict[str, str]]) -> Iterator[dict[str, str]]:
    seen: set[str] = set()
    for row in rows:
        name = folded(row.get("accountname", ""))
        if name and name not in seen:
            seen.add(name)
            yield row
