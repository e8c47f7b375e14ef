"""The places where a mirror can be kept, each by the scheme of its URL."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final, get_args
from urllib.parse import parse_qs, unquote

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.sink import Deletes, Sink

__all__ = ["SCHEMES", "file_of", "options_of", "sink_of"]

SCHEMES: Final = MappingProxyType(
    {
        "sqlite": "sqlite",
        "duckdb": "duckdb",
        "parquet": "parquet",
        "postgresql": "postgres",
        "postgres": "postgres",
        "jsonl": "jsonl",
        "singer": "singer",
    }
)
"""The module of this folder that knows each scheme: its `of_url(url, deletes)` returns the sink."""


def sink_of(to: str | Sink, deletes: Deletes = "tombstone") -> Sink:
    """Return the sink of a URL, which is not opened yet; a sink is returned as it is.

    Args:
        to: `"sqlite:///crm.db"` for a file beside the program, `"sqlite:////var/crm.db"` for one
            with its whole path; other schemes write theirs in their own way.
        deletes: What becomes of the row of a record that is gone.

    Raises:
        InvalidArgumentError: It is no URL of a known scheme, or `deletes` is no choice.
        SinkError: The sink needs an extra that is not installed; the message names it.
    """
    if deletes not in get_args(Deletes):
        raise InvalidArgumentError(f"deletes is 'tombstone' or 'delete', not {deletes!r}")
    if not isinstance(to, str):
        return to
    scheme = to.partition(":")[0].lower()
    known = SCHEMES.get(scheme)
    if known is None or scheme == to.lower():
        # Of what is no URL of ours nothing is shown: there may be a password in it.
        raise InvalidArgumentError(
            f"a mirror is kept at a URL that begins with one of {', '.join(SCHEMES)}, as in "
            "'sqlite:///crm.db'"
        )
    sink: Sink = import_module(f"{__name__}.{known}").of_url(to, deletes)
    return sink


def file_of(url: str) -> Path:
    """Return the file or folder that a URL names: `sqlite:///crm.db`, `sqlite:////var/crm.db`.

    Raises:
        SinkError: It names none, or a host.
    """
    scheme, _, rest = url.partition(":")
    if not rest.startswith("///") or not rest[3:]:
        raise SinkError(
            f"write {scheme}:///crm.{scheme} for a path from here, or {scheme}:////var/crm.{scheme}"
        )
    return Path(unquote(rest[3:]))


def options_of(url: str, *known: str) -> tuple[str, dict[str, str]]:
    """Return a URL without its options, and those that it has, as in `?state=FILE`.

    Args:
        url: The URL.
        known: The options that there are.

    Raises:
        SinkError: It has another one.
    """
    rest, _, query = url.partition("?")
    asked = parse_qs(query, keep_blank_values=True)
    for name in asked.keys() - set(known):
        there = f"?{known[0]}= is the only one" if known else "this scheme has none"
        raise SinkError(f"there is no option {name!r}: {there}; a ? in a name is written %3F")
    return rest, {name: values[-1] for name, values in asked.items() if values[-1]}
