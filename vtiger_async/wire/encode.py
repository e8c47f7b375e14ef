"""From Python to the wire: parameters, and the JSON string of an element."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus, urlencode

from attrs import frozen

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.types import FieldValue
from vtiger_async.values import SEPARATOR, scalar_text
from vtiger_async.wire.operations import Operation

__all__ = [
    "STANDARD_MODULES",
    "FilePart",
    "Pairs",
    "checked_module",
    "encode_element",
    "encode_parameters",
    "form_text",
    "json_text",
]

Pairs = list[tuple[str, str]]
"""Parameters as they stand in a form or a query string."""

STANDARD_MODULES = (
    "Accounts", "Assets", "Calendar", "Campaigns", "Cases", "CompanyDetails", "Contacts",
    "Currency", "DocumentFolders", "Documents", "EmailCampaigns", "Emails", "Events", "Faq",
    "Groups", "HelpDesk", "Invoice", "Leads", "LineItem", "ModComments", "PBXManager",
    "Potentials", "PriceBooks", "PrintTemplates", "Products", "ProductTaxes", "Project",
    "ProjectMilestone", "ProjectTask", "PurchaseOrder", "Quotes", "SalesOrder",
    "ServiceContracts", "Services", "SLA", "Tax", "Users", "Vendors",
)  # fmt: skip
"""The modules of the manual's quick reference, for catching names in the wrong case."""

_BY_FOLDED = {name.lower(): name for name in STANDARD_MODULES}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


@frozen
class FilePart:
    """One file of a multipart create.

    Attributes:
        part: The part's name: `filename` for documents, `imagename[]` for images.
        name: The file's name.
        content_type: Its media type.
        content: Its bytes.
    """

    part: str
    name: str
    content_type: str
    content: bytes


def checked_module(module: str) -> str:
    """Return the module's name if it can be one; the server distinguishes case.

    Raises:
        InvalidArgumentError: It cannot be a module's name, or is a standard one in another case.
    """
    if _NAME.fullmatch(module) is None:
        raise InvalidArgumentError(
            f"{module!r} is not a module's name: letters, digits and underscores, as in Contacts; "
            "list_types() tells the modules of this instance",
            module=module,
        )
    standard = _BY_FOLDED.get(module.lower(), module)
    if standard != module:
        raise InvalidArgumentError(
            f"module names distinguish case: {standard}, not {module}", module=module
        )
    return module


def encode_element(module: str, fields: Mapping[str, FieldValue]) -> dict[str, Any]:
    """Return the fields as Vtiger stores them, ready for JSON.

    None stays null (which clears a field), lists of scalars become multi-picklist text, lists of
    mappings (line items) stay lists.

    Args:
        module: The module, for error messages.
        fields: Python values by field name.

    Raises:
        InvalidArgumentError: A name or a value cannot be sent; it is named.
    """
    return {
        _field_name(name, module): _encode(value, module, name) for name, value in fields.items()
    }


def _field_name(name: object, module: str) -> str:
    if not isinstance(name, str) or not name.strip():
        raise InvalidArgumentError(f"{module}: a field's name is a string, not {name!r}")
    return name


def _encode(value: FieldValue, module: str, name: str) -> Any:
    if value is None:
        return None
    if isinstance(value, str):  # most are, and the abstract classes below cost more to ask
        return scalar_text(value, f"{module}.{name}")
    if isinstance(value, Mapping):
        return {key: _encode(item, module, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        if any(isinstance(item, Mapping) for item in value):
            return [_encode(item, module, f"{name}[{i}]") for i, item in enumerate(value)]
        return _multi_picklist(value, f"{module}.{name}")
    return scalar_text(value, f"{module}.{name}")


def _multi_picklist(values: Sequence[Any], where: str) -> str:
    texts = [scalar_text(item, where) for item in values]
    for text in texts:
        if "|##|" in text:
            raise InvalidArgumentError(
                f"{where}: {text!r} holds |##|, which separates the values of a multi-picklist"
            )
    return SEPARATOR.join(texts)


def json_text(value: Any) -> str:
    """Return the compact JSON text of a value.

    Raises:
        InvalidArgumentError: JSON cannot hold it.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"this cannot be sent as JSON: {error}") from None


def encode_parameters(
    operation: Operation, values: Mapping[str, Any], *, lists_as_json: bool = False
) -> Pairs:
    """Return the operation's parameters as text, in the order of its row; None is left out.

    Args:
        operation: The operation's row.
        values: The parameters by their names on the wire.
        lists_as_json: Whether lists are JSON, as webservice.php has them: `name[]` makes a PHP
            array, which its parameters cannot be (read in the open source).

    Raises:
        InvalidArgumentError: A parameter that the operation needs is missing or empty.
    """
    pairs: Pairs = []
    for parameter in operation.parameters:
        value = values.get(parameter.name)
        if value is None or value == "":
            if parameter.required:
                raise InvalidArgumentError(
                    f"{parameter.name} must not be empty", operation=operation.name
                )
            continue
        if parameter.encoding == "json" or (lists_as_json and parameter.encoding == "list"):
            pairs.append((parameter.name, json_text(value)))
        elif parameter.encoding == "list":
            pairs.extend((f"{parameter.name}[]", str(item)) for item in value)
        elif parameter.encoding == "flag":
            pairs.append((parameter.name, "1" if value else "0"))
        else:
            pairs.append((parameter.name, str(value)))
    return pairs


def form_text(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the pairs as `application/x-www-form-urlencoded` text.

    Raises:
        InvalidArgumentError: A text holds a lone surrogate, which UTF-8 cannot carry.
    """
    try:
        return urlencode(list(pairs), quote_via=quote_plus)
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            f"the text {error.object[:60]!r} holds a lone surrogate, which UTF-8 cannot carry"
        ) from None
