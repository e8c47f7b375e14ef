"""The operations on single records: create, read, change, delete, look up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

from vtiger_async.client.calls import check_text, read_as, records_of
from vtiger_async.client.metadata import MetadataOperations
from vtiger_async.errors import (
    AccessDeniedError,
    InvalidArgumentError,
    RecordNotFoundError,
)
from vtiger_async.models.records import LookupHit, Record, User
from vtiger_async.types import LINE_MODULES, FieldValue, RecordId
from vtiger_async.wire.encode import FilePart, checked_module, encode_element

__all__ = ["RecordOperations"]


class RecordOperations(MetadataOperations):
    """The part of the client that deals with single records."""

    async def me(self) -> User:
        """Return the user whose key is used; the cheapest way to check URL and key.

        Once it has told whether the user is an administrator, queries need not ask whether records
        can be hidden from them.

        Source: manual, "Me".

        Raises:
            AuthenticationError: The user name or the access key is wrong.
        """
        me = read_as("me", User.of, await self._run("me", {}))
        if me.is_admin is not None:
            self._core.sees_all = me.is_admin
        identity = str(me.fields.get("id"))
        if self._core.learn_prefix(identity, "Users"):
            self._core.keep_owner(identity)
        return me

    async def create(self, module: str, fields: Mapping[str, FieldValue]) -> Record:
        """Create a record and return it as stored.

        Most modules want `assigned_user_id`: the id of a user (`me().id`) or of a group. The
        request is never sent twice: where its reply is lost, OutcomeUnknownError is raised.

        Quotes, orders and invoices want `LineItems`, a list of LineItem or of mappings. What Vtiger
        wants beside it is filled in: `productid`, and `hdnTaxType`.

        Source: manual, "Create".

        Args:
            module: The module's name.
            fields: Python values by field name; mandatory ones are marked in `describe`.

        Raises:
            InvalidArgumentError: A name or a value cannot be sent; no call was spent.
            ValidationError: Fields do not fit the module; no call was spent. See the client's
                `validate`.
            SilentChangeError: The record was created, with other values; for `strict` clients.
            MandatoryFieldError: A mandatory field is missing; `.field` names it.
            DuplicateRecordError: A unique value exists already.
            OutcomeUnknownError: The record may or may not have been created.
        """
        checked_module(module)
        if "id" in fields:
            raise InvalidArgumentError(
                "create makes a new record, and the server ignores an id in it: use revise or "
                "update to change one",
                operation="create",
                module=module,
            )
        return await self._write("create", module, fields)

    async def retrieve(self, record_id: str) -> Record:
        """Return one record, whole: only here do line items and the label come along.

        Source: manual, "Retrieve".

        Raises:
            InvalidIdError: Not a record id; no call was spent.
            AccessDeniedError: No permission, or no such record.
        """
        rid = RecordId(record_id)
        module = self._core.module_of(rid)
        result = await self._run("retrieve", {"id": rid}, module=module, record_id=rid)
        return read_as("retrieve", Record.of, result, module)

    async def decrypt(self, record_id: str, field: str) -> str | None:
        """Return the clear value of a sensitive field.

        Source: manual, "Decrypt".
        """
        rid = RecordId(record_id)
        values = {"id": rid, "fieldname": check_text(field, "field", "decrypt")}
        module = self._core.module_of(rid)
        result = await self._run("decrypt", values, module=module, record_id=rid)
        return None if result is None else str(result)

    async def update(
        self, record_id: str, fields: Mapping[str, FieldValue], *, replace_lines: bool = False
    ) -> Record:
        """Change a record, restating its mandatory fields, and return it as stored.

        Optional fields that are left out keep their values (measured on Vtiger 8.4). `revise`
        does the same without the mandatory fields.

        Source: manual, "Update".

        Args:
            record_id: The record.
            fields: Python values by field name.
            replace_lines: As with `revise`.

        Raises:
            ValidationError: Fields do not fit the module; no call was spent.
            InvalidArgumentError: `LineItems` would drop lines; see `revise`.
            SilentChangeError: It was changed to other values; for `strict` clients.
            MandatoryFieldError: A mandatory field is not restated.
            OutcomeUnknownError: The change may or may not have happened.
        """
        return await self._change("update", record_id, fields, replace_lines=replace_lines)

    async def revise(
        self, record_id: str, fields: Mapping[str, FieldValue], *, replace_lines: bool = False
    ) -> Record:
        """Change some fields of a record and return it as stored.

        None or "" clears a field. Without `LineItems` the lines of a quote, an order or an invoice
        stay; with it the server replaces all of them (measured on Vtiger 8.4). So the record is
        read before, which costs one call, and where a product that it has is not among the lines
        given, nothing is sent.

        Source: manual, "Revise".

        Args:
            record_id: The record.
            fields: Python values by field name.
            replace_lines: Whether `LineItems` may drop lines: nothing is read before.

        Raises:
            ValidationError: Fields do not fit the module; no call was spent.
            InvalidArgumentError: `LineItems` would drop lines.
            SilentChangeError: It was changed to other values; for `strict` clients.
            AccessDeniedError: No permission, or no such record.
            LineItemsError: Replacing the lines failed: they may be others, and the totals 0.
            OutcomeUnknownError: The change may or may not have happened.
        """
        return await self._change("revise", record_id, fields, replace_lines=replace_lines)

    async def _change(
        self,
        operation: Literal["update", "revise"],
        record_id: str,
        fields: Mapping[str, FieldValue],
        *,
        replace_lines: bool,
    ) -> Record:
        rid = _changed(operation, record_id, fields)
        module = self._core.module_of(rid)
        if "LineItems" not in fields:
            return await self._write(operation, module, fields, rid)
        from vtiger_async.client.lines import change_lines, prepared

        mode = self._writing.validate
        whole = prepared(self._core, module, fields, operation, validate=mode)
        write = partial(self._write, operation, module, whole, rid)
        return await change_lines(self, write, rid, whole, operation, replace=replace_lines)

    async def _write(
        self,
        operation: Literal["create", "update", "revise"],
        module: str | None,
        fields: Mapping[str, FieldValue],
        rid: RecordId | None = None,
        files: Sequence[FilePart] = (),
    ) -> Record:
        """Check the fields, send them, and compare what came back with them."""
        mode = self._writing.validate
        if operation == "create" and ("LineItems" in fields or module in LINE_MODULES):
            from vtiger_async.client.lines import prepared

            fields = prepared(self._core, module, fields, operation, validate=mode)
        if mode is True or (mode == "auto" and module and self._core.cached(module)):
            from vtiger_async.client.checks import Source, check_before

            source = Source(self.describe, self.retrieve, self._rows) if mode is True else None
            await check_before(self._core, source, module, fields, operation, rid)
        element = encode_element(module or str(rid), fields)
        if rid is not None:
            element["id"] = str(rid)
        values = (
            {"elementType": module, "element": element} if rid is None else {"element": element}
        )
        result = await self._run(operation, values, module=module, record_id=rid, files=files)
        record = read_as(operation, Record.of, result, module)
        stored = record.fields
        if any(name not in stored or stored[name] != sent for name, sent in element.items()):
            from vtiger_async.client.checks import compare_after

            compare_after(fields, element, record, operation, strict=self._writing.strict)
        return record

    async def delete(self, record_id: str, *, missing_ok: bool = False) -> None:
        """Delete a record.

        A record that is gone already gives AccessDeniedError, as a missing permission does
        (measured on Vtiger 8.4).

        Source: manual, "Delete".

        Args:
            record_id: The record.
            missing_ok: Whether a record that is gone is no error. Where the server refuses, one
                more call asks for the record: if it can be read, it is there, and the refusal is
                raised; one that this user may not even read counts as gone.
        """
        rid = RecordId(record_id)
        module = self._core.module_of(rid)
        try:
            await self._run("delete", {"id": rid}, module=module, record_id=rid)
        except (AccessDeniedError, RecordNotFoundError):
            if not missing_ok or await self._is_readable(rid):
                raise

    async def _is_readable(self, rid: RecordId) -> bool:
        try:
            await self.retrieve(rid)
        except (AccessDeniedError, RecordNotFoundError):
            return False
        return True

    async def reopen(self, record_id: str) -> None:
        """Reopen a closed record, where that is permitted.

        Source: manual, "Reopen".
        """
        rid = RecordId(record_id)
        await self._run("reopen", {"id": rid}, module=self._core.module_of(rid), record_id=rid)

    async def lookup(
        self,
        kind: str,
        value: str,
        search_in: Mapping[str, Sequence[str]] | Sequence[str] | None = None,
    ) -> list[LookupHit]:
        """Return the records that have exactly this phone number or address.

        Source: manual, "Lookup" and "Search for Phone or Email address".

        Args:
            kind: `"phone"` or `"email"`.
            value: What to look for.
            search_in: Field names by module, or module names to search all their fields; every
                module, if not given.
        """
        if kind not in ("phone", "email"):
            raise InvalidArgumentError(
                f"lookup finds a 'phone' or an 'email', not {kind!r}", operation="lookup"
            )
        modules = _searched(search_in)
        values = {"type": kind, "value": check_text(value, "value", "lookup"), "searchIn": modules}
        result = await self._run("lookup", values)
        module = next(iter(modules)) if modules is not None and len(modules) == 1 else None
        hits = read_as("lookup", records_of, result, module)
        known = self._core.module_of
        return [LookupHit(h.fields, h.module or known(str(h.get("id", "")))) for h in hits]


def _changed(operation: str, record_id: str, fields: Mapping[str, FieldValue]) -> RecordId:
    """Return the id of the record that fields are to change.

    Raises:
        InvalidArgumentError: The fields are of another record, or there are none.
    """
    rid = RecordId(record_id)
    given = fields.get("id", rid)
    if given != rid:
        raise InvalidArgumentError(
            f"the fields are of {given}, and {rid} is to be changed",
            operation=operation,
            record_id=rid,
        )
    if not fields.keys() - {"id"}:
        raise InvalidArgumentError(
            "no field to change was given", operation=operation, record_id=rid
        )
    return rid


def _searched(
    search_in: Mapping[str, Sequence[str]] | Sequence[str] | None,
) -> dict[str, list[str]] | None:
    if search_in is None:
        return None
    fields = search_in if isinstance(search_in, Mapping) else dict.fromkeys(search_in, ())
    # A text is a sequence too, of single letters.
    if not fields or isinstance(search_in, str) or any(isinstance(f, str) for f in fields.values()):
        raise InvalidArgumentError(
            'search_in is field names by module, {"Contacts": ["email"]}, or a list of modules',
            operation="lookup",
        )
    return {checked_module(name): list(names) for name, names in fields.items()}
