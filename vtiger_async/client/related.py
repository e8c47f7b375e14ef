"""The operations on relations and tags of records; related records stream past the server's 100."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from vtiger_async.client.calls import check_text, read_as, records_of
from vtiger_async.client.metadata import MetadataOperations
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

if TYPE_CHECKING:
    from vtiger_async.client.relation import NextPage, Relation

__all__ = ["RelatedOperations", "RelatedRecords"]


class RelatedRecords(AsyncIterator[Record]):
    """The records related to one, each once: `async for record in crm.retrieve_related(...)`.

    It is read once; `first` and `count` ask anew.
    """

    def __init__(self, relation: Relation, statement: Select, *, retrieved: bool = False) -> None:
        # Loaded by the first reading.
        from vtiger_async.client.doubts import Doubts
        from vtiger_async.client.projection import as_sent

        self._relation = relation
        self._statement = statement
        self._retrieved = retrieved
        self._sent = as_sent(statement)
        self._doubts: Doubts = Doubts.of(statement, relation.source)
        self._next_page: NextPage | None = None
        self._waiting: list[Record] = []

    def __aiter__(self) -> RelatedRecords:
        """Return itself: it is read once."""
        return self

    async def __anext__(self) -> Record:
        """Return the next record."""
        from vtiger_async.client.projection import as_asked

        if self._next_page is None:
            self._next_page = self._begin()
        while not self._waiting:
            page = await self._next_page()
            if page is None:
                await self._doubts.check()
                raise StopAsyncIteration
            if page:
                await self._doubts.look_at(page)
                as_asked(page, self._statement, self._sent)
                self._waiting = page[::-1]
        return self._waiting.pop()

    def _begin(self) -> NextPage:
        if self._statement.is_count:
            raise InvalidArgumentError(
                "a count(*) has no records to iterate over: await the count() of it",
                operation="query_related",
                module=self._statement.module,
            )
        self._doubts.check_known()
        if self._retrieved:
            return self._relation.retrieving(self._statement.module)
        return self._relation.matching(self._sent)

    async def all(self) -> list[Record]:
        """Return all of them that are left, as a list."""
        return [record async for record in self]

    async def first(self) -> Record | None:
        """Return the first of them, or None; the others are not asked for."""
        if self._statement.limit_to == 0:
            return None
        first = self._statement if self._retrieved else self._statement.limit(1)
        records = RelatedRecords(self._relation, first, retrieved=self._retrieved)
        return await anext(records, None)

    async def count(self) -> int:
        """Return how many there are, the statement's LIMIT and offset heeded.

        It costs one call; with an OR, or where the server does not count, a call per 100 ids.
        """
        self._doubts.check_known()
        total = await self._relation.count(self._statement)
        await (self._doubts.check_counted() if total else self._doubts.check())
        total = max(0, total - (self._statement.offset_by or 0))
        limit = self._statement.limit_to
        return total if limit is None else min(total, limit)


class RelatedOperations(MetadataOperations):
    """The part of the client that deals with relations and tags."""

    def retrieve_related(self, record_id: str, label: str, module: str) -> RelatedRecords:
        """Return all records that one is related to under a label.

        The server stops silently at 100 (measured on Vtiger 8.4); what is beyond is read with
        `query_related`. One call for up to 99 records, then one per 100 and one to find the end;
        always the latter where records have line items (Invoice, Quotes and the like). Of anyone
        but an administrator a count proves that nothing stood behind hidden records.

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
        return RelatedRecords(self._relation(rid, label, module), Select(module), retrieved=True)

    def query_related(self, query: str | Select, record_id: str, label: str) -> RelatedRecords:
        """Return all records related to one that match a statement, in its order.

        The trailing `;` may be left out. ORDER BY, LIMIT and offset hold across pages as in
        `query`. An OR is sent as one statement per alternative, since the server would let it reach
        outside of the relation (measured on Vtiger 8.4); without ORDER BY, or by id, their pages
        are merged. In another order the ids that match are found first, a call per 100 of each
        alternative, and then read in that order: a call per 100 of them, or where they are too
        many to name in a URL (some 250), per 100 related records.

        Source: manual, "Query Related".

        Args:
            query: A statement on the related module.
            record_id: The record.
            label: The relation's label, from `related_types`.

        Raises:
            QuerySyntaxError: The text is no statement.
            InvalidArgumentError: It cannot be sent or cannot match; see `VtigerClient.query`.
            ApiError: UNKOWN_ENTITY: no such relation; raised at the first record.
        """
        rid = RecordId(record_id)
        check_text(label, "label", "query_related")
        statement = query if isinstance(query, Select) else parse(with_semicolon(query))
        checked_module(statement.module)
        return RelatedRecords(self._relation(rid, label, statement.module), statement)

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

    def _relation(self, rid: RecordId, label: str, module: str) -> Relation:
        from vtiger_async.client.relation import Relation, related_source

        async def ask(operation: str, values: dict[str, str]) -> list[Record]:
            given = {**values, "id": rid, "relatedLabel": label}
            result = await self._run(operation, given, module=module, record_id=rid)
            return read_as(operation, records_of, result, module)

        source = related_source(self._source(self._rows), ask)
        return Relation(ask, source, self._core.pipeline.admission.clock.time)


def with_semicolon(query: str) -> str:
    """Return the text with the `;` that query_related does not take and VTQL demands."""
    text = query.rstrip()
    return text if text.endswith(";") else f"{text};"


def _tag_list(tags: Sequence[str], operation: str) -> list[str]:
    if isinstance(tags, str) or not tags or not all(tag.strip() for tag in tags):
        raise InvalidArgumentError(
            "tags is a list of at least one tag, none of them empty", operation=operation
        )
    return list(tags)
