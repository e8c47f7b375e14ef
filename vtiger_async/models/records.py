"""Records: mappings that keep every field as the server sent it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from attrs import define, field, frozen

from vtiger_async.errors import InvalidIdError, InvalidResponseError
from vtiger_async.models.metadata import Module
from vtiger_async.types import RecordId, is_list, is_map, whole_number

if TYPE_CHECKING:
    from vtiger_async.models.inventory import LineItem

__all__ = ["File", "LookupHit", "Record", "TypedRecord", "User", "is_secret", "without_secrets"]

# What a Users record may hold of secrets: access keys, passwords, and hashes of them.
_SECRET_WORDS = ("accesskey", "password", "hash", "crypt", "token", "secret")
# Fields that only a Users record has.
_OF_USERS = {"accesskey", "confirm_password", "user_hash", "user_name", "user_password"}


@define(repr=False, eq=False)
class Record(Mapping[str, Any]):
    """One record: a read-only mapping of its fields, by field name, as the server sent them.

    Every value is a string or None, as Vtiger has it (line items are a list of mappings, and some
    inventory answers mix in numbers). Unknown keys are kept. Two records are equal where their
    fields are. (attrs' `frozen` would cost three times as much per record, and pages hold 100.)

    Attributes:
        fields: The fields as they came; do not change them.
        module: The module's name (`"Contacts"`), where the call tells it.
    """

    fields: dict[str, Any]
    module: str | None = None

    @classmethod
    def of(cls, value: object, module: str | None = None) -> Self:
        """Return the record that the server sent.

        Raises:
            InvalidResponseError: The value is no record.
        """
        if not is_map(value):
            raise InvalidResponseError(
                f"a record was expected, and the server sent {type(value).__name__}",
                module=module,
            )
        fields = value if value.keys().isdisjoint(_OF_USERS) else without_secrets(value)
        return cls(fields, module or fields.get("_module"))

    @property
    def id(self) -> RecordId:
        """The record's id.

        Raises:
            InvalidResponseError: The server sent none, or one that is malformed.
        """
        value = self.fields.get("id")
        try:
            return RecordId(value)
        except InvalidIdError:
            raise InvalidResponseError(
                f"the record came with the id {value!r}, which is none", module=self.module
            ) from None

    @property
    def label(self) -> str | None:
        """The record's name as the CRM shows it, where sent: not in query results.

        Vtiger sends it HTML-escaped, unlike the fields (measured on Vtiger 8.4).
        """
        return self.fields.get("label")

    @property
    def line_items(self) -> tuple[LineItem, ...]:
        """The lines of a quote, an order or an invoice.

        Raises:
            InvalidArgumentError: The record came without, as it does from queries and syncs:
                retrieve it.
            InvalidResponseError: They cannot be read.
        """
        from vtiger_async.models.inventory import lines_of  # not every program wants it

        return lines_of(self.fields)

    def typed(self, module: Module) -> TypedRecord:
        """Return the record with Python values, converted by its module's description.

        | type in describe | value |
        | --- | --- |
        | boolean | bool |
        | integer | int |
        | double, currency, percentage | Decimal, with the digits that were sent |
        | date | date |
        | datetime | aware datetime in UTC |
        | time | time |
        | multipicklist | list of str |
        | reference, owner, and the record's own id | RecordId |
        | (LineItems) | list of LineItem |
        | any other | as sent |

        Whatever stands for empty (null, "", a date of zeros) is None, in every type; a zero is a
        number. A field that the description does not have stays as sent. So does a value that its
        type cannot hold: `TypedRecord.unread` names the field, and no error is raised.

        Args:
            module: What `describe` returned for the record's module.
        """
        from vtiger_async.models.typed import typed_fields  # not every program wants it

        fields, unread = typed_fields(self.fields, module)
        return TypedRecord(fields, self.module or module.name, self, unread)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Record):
            return self.fields == other.fields
        return self.fields == other if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.fields.get("id"))

    def __repr__(self) -> str:
        # No field values: they are personal data, and reprs end in logs.
        kind = type(self).__name__
        return f"<{kind} {self.module or '?'} {self.fields.get('id')} ({len(self.fields)} fields)>"


@define(repr=False, eq=False)
class TypedRecord(Record):
    """One record with Python values: what `Record.typed` returns.

    Attributes:
        raw: The record as the server sent it.
        unread: The names of the fields whose value their type cannot hold; it stands here as sent.
    """

    raw: Record = field(factory=lambda: Record({}))
    unread: tuple[str, ...] = ()


@define(repr=False, eq=False)
class User(Record):
    """The user whose key is used; access keys, passwords and hashes are not kept."""

    @classmethod
    def of(cls, value: object, module: str | None = "Users") -> Self:
        """Return the user that the server sent, without what is secret.

        Raises:
            InvalidResponseError: The value is no record.
        """
        record = Record.of(value, module)
        return cls(without_secrets(record.fields), module)

    @property
    def user_name(self) -> str:
        """The name the user logs in with."""
        return str(self.fields.get("user_name") or "")

    @property
    def first_name(self) -> str:
        """The given name; empty if there is none."""
        return str(self.fields.get("first_name") or "")

    @property
    def last_name(self) -> str:
        """The family name."""
        return str(self.fields.get("last_name") or "")

    @property
    def email(self) -> str:
        """The user's address (`email1` on the wire)."""
        return str(self.fields.get("email1") or "")

    @property
    def is_admin(self) -> bool | None:
        """Whether the user is an administrator; None where the server does not tell."""
        value = self.fields.get("is_admin")
        return None if value is None else value in ("on", "1", 1, True)


@define(repr=False, eq=False)
class LookupHit(Record):
    """A record that a lookup found; the module is known where one module was searched."""


def without_secrets(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a Users record without access keys, passwords and hashes of them."""
    return {name: value for name, value in fields.items() if not is_secret(name)}


def is_secret(name: str) -> bool:
    """Tell whether a field of a Users record of that name holds an access key or a password."""
    return any(word in name.lower() for word in _SECRET_WORDS)


@frozen
class File:
    """A file from the CRM.

    Attributes:
        id: The number of the file on the instance, as text.
        name: Its name.
        content_type: Its media type.
        content: Its bytes.
        size: The size that the server states, in bytes, or None.
    """

    id: str
    name: str
    content_type: str
    content: bytes = field(repr=False)
    size: int | None = None

    @classmethod
    def of(cls, value: object) -> Self:
        """Return the file that the server sent: an object, or a list of one (both are seen).

        Raises:
            InvalidResponseError: No file, or its content is not base64.
        """
        sent = value[0] if is_list(value) and len(value) == 1 else value
        if not is_map(sent) or not isinstance(sent.get("filecontents"), str):
            raise InvalidResponseError("a file was expected, and the server sent none")
        try:
            content = base64.b64decode(sent["filecontents"], validate=True)
        except ValueError:  # not base64 (binascii.Error), or not even ASCII
            raise InvalidResponseError("the file's content is not base64") from None
        # "filezie" is the manual's spelling.
        size = sent.get("filesize", sent.get("filezie"))
        return cls(
            id=str(sent.get("fileid", "")),
            name=str(sent.get("filename", "")),
            content_type=str(sent.get("filetype") or "application/octet-stream"),
            content=content,
            size=whole_number(size),
        )
