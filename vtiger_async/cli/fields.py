"""What is given as `name=value` arguments, and as a JSON object."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from vtiger_async.errors import InvalidArgumentError

__all__ = ["json_object", "named_values"]


def named_values(arguments: Sequence[str]) -> dict[str, str]:
    """Return the values of `name=value` arguments by name; a value may hold `=`, and be empty.

    Raises:
        InvalidArgumentError: An argument has no name or no `=`, or a name comes twice.
    """
    values: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not name.strip():
            raise InvalidArgumentError(f"{argument!r} is not of the form name=value")
        if name in values:
            raise InvalidArgumentError(f"{name} is given twice")
        values[name] = value
    return values


def json_object(source: str | None) -> dict[str, Any]:
    """Return the JSON object in a file; of standard input for `-`, an empty one for None.

    Numbers with a point become Decimal, so that none of their digits is lost.

    Raises:
        InvalidArgumentError: The file cannot be read, or holds something else.
    """
    if source is None:
        return {}
    where = "standard input" if source == "-" else source
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8-sig")
        found: object = json.loads(text, parse_float=Decimal)
    except OSError as error:
        raise InvalidArgumentError(f"--json: {where}: {error.strerror}") from None
    except ValueError as error:
        raise InvalidArgumentError(f"--json: {where} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidArgumentError(f"--json: {where} holds no JSON object")
    return cast("dict[str, Any]", found)
