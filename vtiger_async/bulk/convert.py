"""From rows to fields: what is made once for a load, and run for each of its rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs
from attrs import frozen

from vtiger_async.bulk.cells import UnreadableError, plain
from vtiger_async.bulk.columns import Column
from vtiger_async.bulk.errors import MappingError
from vtiger_async.bulk.formats import check_options, reader_of
from vtiger_async.bulk.mapping import FieldMapping
from vtiger_async.bulk.matching import LINES, has_lines, is_of_lines, line_name
from vtiger_async.bulk.nested import NestedLines, lines_reader
from vtiger_async.bulk.options import Ambiguous, Missing, Nulls
from vtiger_async.bulk.pending import OWNERS, Pending, reference_reader
from vtiger_async.bulk.rows import RaggedRow, Row
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.models.lines import checked_lines, line_problems
from vtiger_async.models.metadata import Field, FieldType, Module
from vtiger_async.models.validation import Known, problems_of
from vtiger_async.problems import Problem
from vtiger_async.types import FieldValue

__all__ = ["Converted", "Converter", "Pending"]

_Read: TypeAlias = "Callable[[Any], Any]"

_MAPPED: Final = frozenset({str, int})
"""The types of cells that a value map is asked about."""
_LINE_NUMBER: Final = re.compile(
    r"quantity|listprice|discount_amount|discount_percent|tax\d+", re.ASCII
)
_PRODUCTS: Final = ("Products", "Services")


@frozen
class Converted:
    """What a row says.

    Attributes:
        fields: Values by field, ready to be written; references and owners that have still to be
            found are not there, nor is what has a problem.
        pending: The references and owners that have still to be found.
        problems: What is wrong with the cells; the column is named in the reason.
    """

    fields: dict[str, FieldValue]
    pending: tuple[Pending, ...] = ()
    problems: tuple[Problem, ...] = ()


@frozen
class _Step:
    """What is done with the cells of one column."""

    header: str
    field: str
    read: _Read
    values: Mapping[str, str] | None
    loose: Mapping[str, str]
    clears: bool
    default: str | None

    def text(self, cell: str) -> str:
        """Return what a text of the file stands for."""
        exact = (self.values or {}).get(cell)
        return self.loose.get(cell.casefold(), cell).strip() if exact is None else exact.strip()


class Converter:
    """Makes fields of rows, by a mapping and the description of a module.

    Args:
        module: The description of the module.
        mapping: The mapping, its fields by name (as `FieldMapping.of` gives it).
        nulls: What an empty cell does, where its column does not say.
        missing: What is done where no record is found for a reference.
        ambiguous: What is done where several are found.

    Raises:
        MappingError: A column's settings, its default or a constant do not fit the field.
    """

    def __init__(
        self,
        module: Module,
        mapping: FieldMapping,
        *,
        nulls: Nulls = "leave",
        missing: Missing = "reject",
        ambiguous: Ambiguous = "reject",
    ) -> None:
        self.module = module
        self.mapping = mapping
        self._missing: Missing = missing
        self._ambiguous: Ambiguous = ambiguous
        self._has_lines = has_lines(module)
        self._columns = frozenset(mapping.columns)
        self._header_of: dict[str, str] = {}
        self._steps: list[_Step] = []
        for header, column in mapping.columns.items():
            if column is None:
                continue
            self._header_of[column.field] = header
            self._steps.append(self._step(header, column, nulls))
        self._constants: dict[str, FieldValue] = {}
        self._constant_pending: list[Pending] = []
        for name, value in mapping.constants.items():
            self._add_constant(name, value)

    def _step(self, header: str, column: Column, nulls: Nulls) -> _Step:
        if column.field != LINES:
            check_options(self._field(column.field), column)
        read = self._reader(column.field, column, header)
        exact = {text.strip(): value for text, value in column.values.items()}
        folded: dict[str, set[str]] = {}
        for text, value in exact.items():
            folded.setdefault(text.casefold(), set()).add(value)
        loose = {text: min(values) for text, values in folded.items() if len(values) == 1}
        step = _Step(
            header=header,
            field=column.field,
            read=read,
            values=exact or None,
            loose=loose,
            clears=(column.nulls or nulls) == "clear",
            default=column.default,
        )
        if column.default is not None:
            self._try(f"column {header!r}: the default", read, step.text(column.default.strip()))
        return step

    def _reader(self, name: str, column: Column, header: str) -> _Read:
        field = self._field(name)
        if name == LINES:
            of_lines = attrs.evolve(column, date_format=(), default=None)
            return lines_reader(lambda part: self._reader(part, of_lines, header))
        if name == "id":
            column = attrs.evolve(column, by="id")
        if field.type.name not in ("owner", "reference"):
            return reader_of(field, column)
        modules = OWNERS if field.type.name == "owner" else field.type.refers_to
        return reference_reader(name, column, header, modules, self._missing, self._ambiguous)

    def _field(self, name: str) -> Field:
        part = line_name(name)
        if part is not None or name == LINES:
            return _line_field(name, part or "")
        if name not in self.module.fields:
            raise MappingError(f"{self.module.name} has no field {name!r}", module=self.module.name)
        field = self.module.fields[name]
        if name == "id":
            return attrs.evolve(field, type=FieldType("reference", refers_to=(self.module.name,)))
        if self.module.name == "Calendar" and name == "activitytype":
            return attrs.evolve(field, type=FieldType("string"))  # no picklist lists what it has
        return field

    def _add_constant(self, name: str, value: FieldValue) -> None:
        if value == "":
            self._constants[name] = None
            return
        read = self._reader(name, Column(name), "")
        found = self._try(f"constant {name}", read, value)
        if isinstance(found, Pending):
            self._constant_pending.append(found)
        else:
            self._constants[name] = found

    def _try(self, where: str, read: _Read, value: FieldValue) -> Any:
        try:
            return read(value)
        except UnreadableError as error:
            remedy = f": {error.remedy}" if error.remedy else ""
            text = f"{where}: {error.reason}{remedy}"
            raise MappingError(text, module=self.module.name) from None

    def convert(self, row: Row) -> Converted:
        """Return what a row says; nothing is raised for what is wrong with it.

        Args:
            row: The cells by column. A column of the mapping that it lacks is an empty cell; one
                that the mapping does not know is a problem.
        """
        fields = self._constants.copy()
        pending = self._constant_pending.copy()
        problems: list[Problem] = []
        for step in self._steps:
            cell: Any = row.get(step.header)
            if cell.__class__ is str:
                cell = cell.strip()
            elif cell is not None:
                cell = plain(cell)
            if step.values is not None and cell.__class__ in _MAPPED:
                cell = step.text(str(cell))
            if cell is None or cell == "":
                if step.default is None:
                    if step.clears:
                        fields[step.field] = None
                    continue
                cell = step.text(step.default.strip())
            try:
                value = step.read(cell)
            except UnreadableError as error:
                problems.append(_problem(step, cell, error))
                continue
            if value.__class__ is Pending:
                pending.append(value)
            elif value.__class__ is NestedLines:
                fields[step.field] = value.lines
                pending += value.pending
                problems += (_located(found, step.header) for found in value.problems)
            else:
                fields[step.field] = value
        if row.__class__ is RaggedRow or not row.keys() <= self._columns:
            problems.extend(self._surplus(row))
        return Converted(fields, tuple(pending), tuple(problems))

    def _surplus(self, row: Row) -> Iterator[Problem]:
        """Yield what is wrong with the cells that belong to no column."""
        if isinstance(row, RaggedRow):
            count = len(row.extra)
            what = "a cell" if count == 1 else f"{count} cells"
            reason = f"line {row.line} has {what} more than the header has columns"
            yield Problem("row", row.extra, reason, "quote the cells that hold the delimiter")
        for column in row.keys() - self._columns:
            reason = f"the mapping does not know the column {column!r}"
            yield Problem(str(column), row[column], reason, "name it there, if only to ignore it")

    def check(
        self,
        fields: Mapping[str, FieldValue],
        write: Literal["create", "revise"],
        known: Known,
        converted: Converted | None = None,
    ) -> list[Problem]:
        """Return everything that is wrong with a row, one problem for each field.

        Args:
            fields: What is to be written, with the references that were found.
            write: The operation.
            known: What else is known of the instance; dependencies of picklists are among it.
            converted: What `convert` gave: its problems come first, and what it left out is not
                said to be missing.
        """
        problems = list(converted.problems) if converted else []
        absent = {problem.field for problem in problems}
        if converted:
            absent.update(pending.field for pending in converted.pending)
        if self._has_lines:
            problems += self._line_problems(fields.get(LINES), known, absent)
            if any(is_of_lines(name) for name in (*fields, *absent)):
                absent |= {LINES, "productid"}  # the client takes it from the first line
            fields = {name: value for name, value in fields.items() if line_name(name) is None}
        told = {problem.field for problem in problems}
        for problem in problems_of(self.module, fields, write, known):
            name = problem.field
            if name in told or (name in absent and name not in fields):
                continue
            told.add(name)
            problems.append(_located(problem, self._header_of.get(name, "")))
        return problems

    def _line_problems(
        self, lines: FieldValue, known: Known, absent: set[str]
    ) -> Iterator[Problem]:
        if not lines:
            return
        try:
            found = line_problems(checked_lines(lines), known.prefixes)
        except InvalidArgumentError as error:
            found = [Problem(LINES, lines, error.message)]
        for problem in found:
            flat = f"{LINES}.{problem.field.rpartition('.')[2]}"
            if problem.field not in absent and flat not in absent:
                header = self._header_of.get(LINES) or self._header_of.get(flat, "")
                yield _located(problem, header)


def _located(problem: Problem, header: str) -> Problem:
    """Return the problem with the column it comes from."""
    if not header:
        return problem
    return attrs.evolve(problem, reason=f"column {header!r}: {problem.reason}")


def _problem(step: _Step, cell: object, error: UnreadableError) -> Problem:
    reason = f"column {step.header!r}: {error.reason}"
    return Problem(step.field, cell, reason, error.remedy)


def _line_field(name: str, part: str) -> Field:
    """Return what is known of a field of lines: `describe` of the document has it otherwise."""
    if part == "productid":
        kind = FieldType("reference", refers_to=_PRODUCTS)
    else:
        kind = FieldType("double" if _LINE_NUMBER.fullmatch(part) else "text")
    return Field(name, part, kind)
