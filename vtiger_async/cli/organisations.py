"""The demo's input: a CSV file of organisations, read into fields of the module Accounts."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

from attrs import frozen

from vtiger_async.errors import InvalidArgumentError

__all__ = ["FIELDS", "Organisations", "folded", "read_organisations"]

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


def folded(name: str) -> str:
    """Return the name as Vtiger compares it: without case, accents and trailing spaces.

    Measured on Vtiger 8.4.
    """
    bare = (c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return "".join(bare).casefold().rstrip(" ")


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
            names = _field_names(next(reader, []), source)
            rows = [
                {name: text for name, cell in zip(names, row, strict=False)
                 if name and (text := cell.strip())}
                for row in islice(filter(None, reader), limit)
            ]  # fmt: skip
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidArgumentError(f"{source} is not CSV in UTF-8: {error}") from None
    kept = list(_without_repeats(rows))
    unnamed = sum("accountname" not in row for row in rows)
    return Organisations(
        source=source,
        rows=tuple(kept),
        total=len(rows),
        repeated=len(rows) - len(kept) - unnamed,
        unnamed=unnamed,
        unknown=tuple(name[1:] for name in names if name.startswith("?")),
    )
