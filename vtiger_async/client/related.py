"""The operations on relations and tags of records; related records stream past the server's 100."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeAlias

from vtiger_async.client.core import check_text, read_as, records_of
from vtiger_async.client.metadata import MetadataOperations
from vtiger_async.client.paging import PAGE, URL_BYTES
from vtiger_async.errors import (
    InvalidArgumentError,
    SilentChangeError,
    UnsupportedOperationError,
)
from vtiger_async.models import structuring
from vtiger_async.models.records import Record
from vtiger_async.types import RecordId
from vtiger_async.vtql import F, Select, parse
from vtiger_async.wire.encode import checked_module

__all__ = ["RelatedOperations", "RelatedRecords"]

_JOINED = {"Invoice", "PurchaseOrder", "Quotes", "SalesOrder"}
"""Modules whose rows come joined with line items, before the page is cut at 100 rows (measured): a
page with fewer records need not be the last."""
_NextPage: TypeAlias = Callable[[], Coroutine[Any, Any, "list[Record] | None"]]
_Fetch: TypeAlias = Callable[[str, dict[str, str]], Coroutine[Any, Any, list[Record]]]
_PrefixOf: TypeAlias = Callable[[str], Coroutine[Any, Any, str]]


class RelatedRecords(AsyncIterator[Record]):
    """The records related to one, each once: `async for record in crm.retrieve_related(...)`."""

    def __init__(self, next_page: _NextPage) -> None:
        self._next_page = next_page
        self._waiting: list[Record] = []
        self._seen: set[int] = set()

    def __aiter__(self) -> RelatedRecords:
        """Return itself: it is read once."""
        return self

    async def __anext__(self) -> Record:
        """Return the next record."""
        while not self._waiting:
            page = await self._next_page()
            if page is None:
                raise StopAsyncIteration
            fresh = [record for record in page if record.id.number not in self._seen]
            self._seen.update(record.id.number for record in fresh)
            self._waiting = list({record.id: record for record in fresh}.values())[::-1]
        return self._waiting.pop()

    async def all(self) -> list[Record]:
        """Return all of them as a list."""
        return [record async for record in self]


class RelatedOperations(MetadataOperations):
    """The part of the client that deals with relations and tags."""

    def retrieve_related(self, record_id: str, label: str, module: str) -> RelatedRecords:
        """Return all records that one is related to under a label.

        The server stops silently at 100 (measured on Vtiger 8.4); what is beyond is read with
        `query_related`. One call for up to 99 records, then one per 100 and one to find the end;
        always the latter where records have line items (Invoice, Quotes and the like).

        Source: manual, "Retrieve Related".

        Args:
            record_id: The record.
            label: The relation's label, from `related_types`: not always the module's name.
            module: The related module.

        Raises:
            InvalidIdError: Not a record id.
            ApiError: UNKOWN_ENTITY: no such relation; raised at the first record.
        """
        rid = RecordId(record_id)
        check_text(label, "label", "retrieve_related")
        checked_module(module)
        return RelatedRecords(self._pages(rid, label, Select(module)).retrieved)

    def query_related(self, query: str | Select, record_id: str, label: str) -> RelatedRecords:
        """Return all records related to one that match a statement.

        The trailing `;` may be left out. An OR is sent as one statement per alternative, since the
        server would let it reach outside of the relation (measured on Vtiger 8.4). The records
        come in the order of their ids; ORDER BY, LIMIT and an offset are refused.

        Source: manual, "Query Related".

        Args:
            query: A statement on the related module.
            record_id: The record.
            label: The relation's label, from `related_types`.

        Raises:
            QuerySyntaxError: The text is no statement.
            InvalidArgumentError: It has an ORDER BY, a LIMIT or an offset, or is a count(*).
        """
        rid = RecordId(record_id)
        check_text(label, "label", "query_related")
        statement = query if isinstance(query, Select) else parse(with_semicolon(query))
        checked_module(statement.module)
        if (
            statement.is_count
            or statement.order_fields
            or statement.limit_to is not None
            or statement.offset_by is not None
        ):
            raise InvalidArgumentError(
                "query_related reads all matching records by id: leave out count(*), ORDER BY, "
                "LIMIT and offset",
                operation="query_related",
                module=statement.module,
            )
        return RelatedRecords(self._pages(rid, label, statement).queried)

    async def add_related(
        self, source: str, target: str, label: str | None = None, *, verify: bool = False
    ) -> None:
        """Relate two records.

        The server reports success even for a wrong label, a missing record, a relation that is
        kept in a field, and a user who may only read (measured on Vtiger 8.4).

        Source: manual, "Add Related".

        Args:
            source: The record that gets the relation.
            target: The record that it is related to.
            label: The relation's label, where the modules have more than one.
            verify: Whether to read the relation back; it needs the label, costs one call more, and
                a `describe` of the target's module where that is not kept.

        Raises:
            InvalidArgumentError: `verify` lacks the label, or the target's module is not known yet:
                describe it or query it first.
            SilentChangeError: The relation is not there, or not shown to this user.
            ApiError: UNKOWN_ENTITY: `verify` found no such relation.
        """
        rid, other = RecordId(source), RecordId(target)
        values: dict[str, str] = {"sourceRecordId": rid, "relatedRecordId": other}
        if label is not None:
            values["relationIdLabel"] = check_text(label, "label", "add_related")
        related = self._core.module_of(other)
        if verify and (label is None or related is None):
            raise InvalidArgumentError(
                f"verify=True reads back by the relation's label and the module of {other}: give "
                "the label, and describe or query the module first",
                operation="add_related",
                record_id=rid,
            )
        module = self._core.module_of(rid)
        await self._run("add_related", values, module=module, record_id=rid)
        if verify and label is not None and related is not None:
            statement = Select(related, ("id",)).where(F["id"] == other)
            if await anext(self.query_related(statement, rid, label), None) is None:
                raise SilentChangeError(
                    f"answered with success, and {other} is not related under {label!r}",
                    operation="add_related",
                    module=module,
                    record_id=rid,
                )

    async def delete_related(self, source: str, target: str) -> None:
        """Take two records' relation away; it is no error if there was none.

        Source: manual, "Delete Related".
        """
        rid = RecordId(source)
        values = {"sourceRecordId": rid, "relatedRecordId": RecordId(target)}
        await self._run("delete_related", values, module=self._core.module_of(rid), record_id=rid)

    async def tags_add(self, record_id: str, tags: Sequence[str]) -> None:
        """Add tags to a record; those it has already stay.

        Source: manual, "Tags Add".
        """
        rid = RecordId(record_id)
        values = {"id": rid, "tags": _tag_list(tags, "tags_add")}
        await self._run("tags_add", values, module=self._core.module_of(rid), record_id=rid)

    async def tags_retrieve(self, record_id: str) -> list[str]:
        """Return the tags that this user sees on a record.

        Source: manual, "Tags Retrieve".
        """
        rid = RecordId(record_id)
        module = self._core.module_of(rid)
        result = await self._run("tags_retrieve", {"id": rid}, module=module, record_id=rid)
        return read_as("tags_retrieve", structuring.tags, result)

    async def tags_delete(
        self, record_id: str, tags: Sequence[str] = (), *, delete_all: bool = False
    ) -> None:
        """Take tags from a record: those named, or all.

        The manual names the operation `tag_delete`; the vendor's own Python SDK sends
        `tags_delete`. A server that does not know the first is asked by the second.

        Source: manual, "Tags Delete".
        """
        rid = RecordId(record_id)
        if bool(tags) == delete_all:
            raise InvalidArgumentError(
                "name the tags to delete, or give delete_all=True; one of the two",
                operation="tag_delete",
                record_id=rid,
            )
        values: dict[str, Any] = {"id": rid, "delete_all": delete_all}
        if tags:
            values["tags"] = _tag_list(tags, "tag_delete")
        run = partial(self._run, "tag_delete", values, record_id=rid)
        try:
            await run(alias=self._core.tag_delete)
        except UnsupportedOperationError:
            if self._core.tag_delete != "tag_delete":
                raise
            await run(alias="tags_delete")
            self._core.tag_delete = "tags_delete"

    def _pages(self, rid: RecordId, label: str, statement: Select) -> _RelatedPages:
        module = statement.module

        async def fetch(operation: str, values: dict[str, str]) -> list[Record]:
            given = {**values, "id": rid, "relatedLabel": label}
            result = await self._run(operation, given, module=module, record_id=rid)
            return read_as(operation, records_of, result, module)

        async def prefix_of(name: str) -> str:
            return (await self.describe(name)).id_prefix

        return _RelatedPages(fetch, prefix_of, statement)


def with_semicolon(query: str) -> str:
    """Return the text with the `;` that query_related does not take and VTQL demands."""
    text = query.rstrip()
    return text if text.endswith(";") else f"{text};"


def _bounded(statement: Select, after: str = f"{10**10 - 1}x{10**19 - 1}") -> Select:
    """Return the statement of the page after an id; without one, the longest there can be."""
    return statement.where(F["id"] > after).order_by("id").limit(PAGE)


class _RelatedPages:
    """Pages of related records: by keyset, one alternative of the statement after the other."""

    def __init__(self, fetch: _Fetch, prefix_of: _PrefixOf, statement: Select) -> None:
        self._fetch = fetch
        self._prefix_of = prefix_of
        self._module = statement.module
        alternatives = statement.where_any or ((),)
        bare = Select(statement.module, statement.fields)
        self._statements = [
            piece
            for conditions in alternatives
            for piece in bare.where(*conditions).split(URL_BYTES, sent_as=_bounded)
        ]
        self._after: RecordId | None = None
        self._prefix: str | None = None
        self._begun = False

    async def retrieved(self) -> list[Record] | None:
        """Return the first page by retrieve_related, and what it left out by query_related."""
        if self._begun:
            return await self.queried()
        self._begun = True
        page = await self._fetch("retrieve_related", {"relatedType": self._module})
        if not page or (len(page) < PAGE and self._module not in _JOINED):
            self._statements.clear()
        else:
            self._prefix = page[0].id.prefix
        return page

    async def queried(self) -> list[Record] | None:
        """Return the next page by query_related; None at the end."""
        if not self._statements:
            return None
        if self._prefix is None:
            # ORDER BY and LIMIT are only understood after a WHERE (measured), and that needs the
            # module's prefix.
            self._prefix = await self._prefix_of(self._module)
        statement = _bounded(self._statements[0], self._after or f"{self._prefix}x0")
        page = await self._fetch("query_related", {"query": str(statement).rstrip(";")})
        self._after = max((record.id for record in page), default=None)
        if not page:
            self._statements.pop(0)
        return page


def _tag_list(tags: Sequence[str], operation: str) -> list[str]:
    if isinstance(tags, str) or not tags or not all(tag.strip() for tag in tags):
        raise InvalidArgumentError(
            "tags is a list of at least one tag, none of them empty", operation=operation
        )
    return list(tags)
