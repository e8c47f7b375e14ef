"""What is to be loaded, and how: the options of one load, checked before a row is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from attrs import Attribute, Factory, field, frozen

from vtiger_async.bulk.options import Ambiguous, Missing, Mode, Nulls, Repeats
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.types import FieldValue

__all__ = ["Load"]


def _names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _one_of(kind: Any) -> Any:
    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        allowed = get_args(kind)
        if value not in allowed:
            text = ", ".join(map(repr, allowed))
            raise InvalidArgumentError(f"{attribute.name} is one of {text}, not {value!r}")

    return check


def _usual_mode(load: Load) -> Mode:
    return "upsert" if load.key else "create"


@frozen(kw_only=True)
class Load:
    """Rows for one module.

    Attributes:
        rows: The input: a path (CSV, JSON lines, Parquet by its suffix), an iterable or an async
            iterable of mappings, or a DataFrame or Arrow table.
        module: The module.
        key: The field, or fields, by which a row and a record are the same; None where every row is
            a record of its own.
        mode: What becomes of a row; `"upsert"` if there is a key, else `"create"`.
        mapping: Which column becomes which field, as a FieldMapping, a mapping of headers to field
            names, or a TOML file; None to find it out by names and labels.
        constants: Values that every row has, by field.
        owner: Whose the new records are, where a row does not say: `"me"`, the id of a user or a
            group, a user's name or a group's.
        repeats: Which of several rows with one key counts.
        nulls: What an empty cell does to a record that is there.
        missing: What is done where a reference is not found.
        ambiguous: What is done where several records have a value that is looked for.
        mark: A text field of the module into which a value is written that no other row has. Then a
            create whose reply is lost can be settled without a key.
        format: `"csv"`, `"jsonl"` or `"parquet"`, where the file's suffix does not tell.
        delimiter: Between the cells of a CSV file; found out, if not given.
        encoding: Of a text file.
    """  # fmt: skip

    rows: Any = field(repr=False)
    module: str
    key: tuple[str, ...] = field(default=(), converter=_names)
    mode: Mode = field(default=Factory(_usual_mode, takes_self=True), validator=_one_of(Mode))
    mapping: Any = field(default=None, repr=False)
    constants: Mapping[str, FieldValue] = field(factory=dict[str, FieldValue], repr=False)
    owner: str | None = None
    repeats: Repeats = field(default="first", validator=_one_of(Repeats))
    nulls: Nulls = field(default="leave", validator=_one_of(Nulls))
    missing: Missing = field(default="reject", validator=_one_of(Missing))
    ambiguous: Ambiguous = field(default="reject", validator=_one_of(Ambiguous))
    mark: str | None = None
    format: Literal["csv", "jsonl", "parquet"] | None = None
    delimiter: str | None = None
    encoding: str = "utf-8-sig"

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no sense together.

        Raises:
            InvalidArgumentError: A mode without what it needs.
        """
        if self.mode != "create" and not self.key:
            raise InvalidArgumentError(
                f"mode {self.mode!r} finds records by their key: give key='id', or another field",
                module=self.module,
            )
        if self.mark is not None and self.key:
            raise InvalidArgumentError(
                "a row with a key needs no mark: give one of them", module=self.module
            )

    @property
    def path(self) -> Path | None:
        """The input's file, if it is one."""
        return Path(self.rows) if isinstance(self.rows, str | Path) else None
