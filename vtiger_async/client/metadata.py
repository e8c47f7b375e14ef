"""The operations on what an instance says of itself: modules, picklists, limits, hierarchies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from attrs import evolve

from vtiger_async.client.calls import Operations, check_text, read_as
from vtiger_async.client.source import FetchPage, Source
from vtiger_async.errors import (
    ApiError,
    AuthenticationError,
    InvalidArgumentError,
    InvalidResponseError,
    ServerError,
)
from vtiger_async.models import structuring
from vtiger_async.models.metadata import (
    AccountNode,
    EditionLimit,
    Module,
    ModuleInfo,
    PicklistDependency,
    RelatedTypes,
)
from vtiger_async.models.records import User
from vtiger_async.types import RecordId, ServiceName, whole_number
from vtiger_async.wire.encode import checked_module

__all__ = ["MetadataOperations"]


class MetadataOperations(Operations):
    """The part of the client that deals with metadata."""

    async def list_types(self, field_types: Sequence[str] = ()) -> list[ModuleInfo]:
        """Return the modules that this user may see.

        Source: manual, "ListTypes".

        Args:
            field_types: Only modules that have a field of one of these types (`"email"`).
        """
        if isinstance(field_types, str):
            raise InvalidArgumentError("field_types is a list of types", operation="listtypes")
        result = await self._run("listtypes", {"fieldTypeList": list(field_types) or None})
        infos = read_as("listtypes", structuring.module_infos, result)
        if not field_types:
            self._core.keep_types(infos)
        return infos

    async def describe(self, module: str, *, refresh: bool = False) -> Module:
        """Return a module's metadata: its fields, and what this user may do.

        Descriptions are kept for `metadata_ttl` seconds; callers that ask at once share one call.

        Source: manual, "Describe".

        Args:
            module: The module's name.
            refresh: Ask the server even if a description is kept.

        Raises:
            AccessDeniedError: No such module, or not for this user.
        """
        checked_module(module)
        self._core.check_usable()
        known = None if refresh else self._core.cached(module)
        if known is not None:
            return known
        async with self._core.lock_for(module):
            known = None if refresh else self._core.cached(module)
            if known is not None:
                return known
            result = await self._run("describe", {"elementType": module}, module=module)
            described = read_as("describe", structuring.module_of, result)
            self._core.keep(module, described)
            return described

    def _source(self, fetch: FetchPage) -> Source:
        """Return what a reading may ask, with its own way to make one query."""
        core = self._core
        return Source(
            fetch, self.describe, core.cached, self._sees_all, core.prefixes,
            lambda calls: core.quota().plan(calls), lambda: core.sees_all,
        )  # fmt: skip

    async def _surely_sees_all(self) -> bool:
        """Return whether this user sees every record, where a wrong no would lose changes.

        Raises:
            ServerError: The server failed at it.
            InvalidResponseError: Its answer cannot be read.
        """
        return await self._sees_all(surely=True)

    async def _sees_all(self, *, surely: bool = False) -> bool:
        """Return whether this user sees every record; it is asked once for the client.

        Args:
            surely: Whether a failure of the server is raised, and not taken for a no.

        The open source tells in `me` not who is an administrator, and shows nobody else their own
        user record (measured on Vtiger 8.4).
        """
        core = self._core
        async with core.lock_for("me "):  # no module's name ends in a space
            if core.sees_all is None or (surely and core.sees_all_is_guessed):
                try:
                    me = User.of(await self._run("me", {}))
                    if not core.sees_all and me.is_admin is None:
                        me = User.of(await self._run("retrieve", {"id": me.id}))
                    core.sees_all = core.sees_all or bool(me.is_admin)
                    core.sees_all_is_guessed = False
                except AuthenticationError:
                    raise
                except (ApiError, InvalidResponseError) as error:
                    if surely and isinstance(error, ServerError | InvalidResponseError):
                        raise
                    core.sees_all = False  # nobody tells: then every end is proven
                    core.sees_all_is_guessed = isinstance(error, ServerError | InvalidResponseError)
        return core.sees_all

    async def related_types(self, module: str) -> RelatedTypes:
        """Return the relations of a module: their labels go into `retrieve_related`.

        Source: manual, "Related Types".
        """
        values = {"elementType": checked_module(module)}
        result = await self._run("relatedtypes", values, module=module)
        return read_as("relatedtypes", structuring.related_types, result, module)

    async def picklist_dependency(
        self, module: str, source_field: str, target_field: str
    ) -> PicklistDependency:
        """Return which values of one picklist go with which of another.

        The answer is kept for `metadata_ttl` seconds, to check writes by.

        Source: manual, "Picklist Dependency".
        """
        values = {
            "module": checked_module(module),
            "sourcefield": check_text(source_field, "source_field", "picklist_dependency"),
            "targetfield": check_text(target_field, "target_field", "picklist_dependency"),
        }
        result = await self._run("picklist_dependency", values, module=module)
        found = read_as("picklist_dependency", structuring.picklist_dependency, result)
        self._core.keep_dependency(
            module, evolve(found, source_field=source_field, target_field=target_field)
        )
        return found

    async def add_picklist(self, module: str, field: str, values: Sequence[str]) -> tuple[int, ...]:
        """Add values to a picklist, and return their numbers. Administrators only.

        Not for global picklists.

        Source: manual of 2025, "Add Picklist".
        """
        element = {"values": _value_list(values, "values", "add_picklist")}
        result = await self._edit("add_picklist", module, field, element)
        ids = cast("dict[str, Any]", result).values() if isinstance(result, dict) else ()
        numbers = (whole_number(number) for number in ids)
        return tuple(number for number in numbers if number is not None)

    async def edit_picklist(self, module: str, field: str, current: str, new: str) -> None:
        """Rename a value of a picklist. Administrators only; not for global picklists.

        Source: manual of 2025, "Edit Picklist".
        """
        element = {
            "current_value": check_text(current, "current", "edit_picklist"),
            "new_value": check_text(new, "new", "edit_picklist"),
        }
        await self._edit("edit_picklist", module, field, element)

    async def delete_picklist(
        self, module: str, field: str, values: Sequence[str], replace_with: str
    ) -> None:
        """Delete values of a picklist; records that have one get `replace_with`.

        Administrators only; not for global picklists.

        Source: manual of 2025, "Delete Picklist".
        """
        element = {
            "delete_values": _value_list(values, "values", "delete_picklist"),
            "replace_with": check_text(replace_with, "replace_with", "delete_picklist"),
        }
        await self._edit("delete_picklist", module, field, element)

    async def _edit(
        self, operation: str, module: str, field: str, element: Mapping[str, Any]
    ) -> Any:
        checked_module(module)
        check_text(field, "field", operation)
        values = {"elementType": module, "element": {"fieldname": field, **element}}
        try:
            return await self._run(operation, values, module=module)
        finally:
            # Also where the reply was lost: the picklist may have changed.
            self._core.forget()

    async def edition_limits(self, service: ServiceName | str) -> EditionLimit:
        """Return one limit of the instance's edition.

        Source: manual of 2025, "Vtiger CRM Edition Limits API".

        Args:
            service: A ServiceName, or any other name that the instance knows.
        """
        values = {"serviceName": check_text(str(service), "service", "editionLimits")}
        result = await self._run("editionLimits", values)
        return structuring.edition_limit(result, service)

    async def get_account_hierarchy(self, record_id: str) -> list[AccountNode]:
        """Return the organisations above and below one, the topmost first.

        Source: manual, "Get Account Hierarchy".
        """
        rid = RecordId(record_id)
        result = await self._run(
            "get_account_hierarchy", {"id": rid}, module="Accounts", record_id=rid
        )
        return read_as("get_account_hierarchy", structuring.account_nodes, result)


def _value_list(values: Sequence[str], name: str, operation: str) -> list[str]:
    if isinstance(values, str) or not values or not all(value.strip() for value in values):
        raise InvalidArgumentError(
            f"{name} is a list of at least one value, none of them empty", operation=operation
        )
    return list(values)
