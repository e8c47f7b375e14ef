"""The asyncio client SDK for the Vtiger CRM REST API.

```python
from vtiger_async import F, VtigerClient, select

async with VtigerClient(url, username, access_key, edition="one-professional", users=5) as crm:
    async for contact in crm.query(select("Contacts").where(F.lastname.startswith("Sm"))):
        print(contact.id, contact["lastname"])
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vtiger_async.client import VtigerClient
from vtiger_async.client.query import Query, TypedQuery
from vtiger_async.client.related import RelatedRecords
from vtiger_async.clock import Clock, ScaledClock, SystemClock
from vtiger_async.editions import EDITIONS, Edition, Limits
from vtiger_async.errors import (
    AccessDeniedError,
    ApiError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ConversionError,
    DuplicateRecordError,
    InvalidArgumentError,
    InvalidIdError,
    InvalidReferenceError,
    InvalidResponseError,
    LeadAlreadyConvertedError,
    LineItemsError,
    MandatoryFieldError,
    OutcomeUnknownError,
    QuerySyntaxError,
    QuotaExhaustedError,
    RateLimitError,
    RecordNotFoundError,
    RequestTimeoutError,
    ServerError,
    SilentChangeError,
    TransportError,
    UnsupportedOperationError,
    ValidationError,
    VtigerError,
)
from vtiger_async.models.metadata import (
    AccountNode,
    EditionLimit,
    Field,
    FieldType,
    Module,
    ModuleInfo,
    PicklistDependency,
    PicklistValue,
    RelatedTypes,
    Relation,
)
from vtiger_async.models.records import File, LookupHit, Record, TypedRecord, User
from vtiger_async.problems import Problem, SilentChange, SilentChangeWarning
from vtiger_async.quota import WindowUse
from vtiger_async.retry import RetryPolicy
from vtiger_async.types import RecordId, ServiceName
from vtiger_async.vtql import F, Select, parse, select

if TYPE_CHECKING:
    from vtiger_async.client.sync import Change, Sync
    from vtiger_async.models.inventory import LineItem, Totals
    from vtiger_async.quota.plan import Plan
    from vtiger_async.quota.snapshot import Quota
    from vtiger_async.stores import SharedQuota, SharedQuotaWarning, StoreError
    from vtiger_async.stores.postgres import PostgresQuota
    from vtiger_async.stores.redis import RedisQuota
    from vtiger_async.stores.sqlite import SQLiteQuota

__version__ = "0.1.0"
__all__ = [
    "EDITIONS",
    "AccessDeniedError",
    "AccountNode",
    "ApiError",
    "AuthenticationError",
    "Change",
    "Clock",
    "ConfigurationError",
    "ConnectError",
    "ConversionError",
    "DuplicateRecordError",
    "Edition",
    "EditionLimit",
    "F",
    "Field",
    "FieldType",
    "File",
    "InvalidArgumentError",
    "InvalidIdError",
    "InvalidReferenceError",
    "InvalidResponseError",
    "LeadAlreadyConvertedError",
    "Limits",
    "LineItem",
    "LineItemsError",
    "LookupHit",
    "MandatoryFieldError",
    "Module",
    "ModuleInfo",
    "OutcomeUnknownError",
    "PicklistDependency",
    "PicklistValue",
    "Plan",
    "PostgresQuota",
    "Problem",
    "Query",
    "QuerySyntaxError",
    "Quota",
    "QuotaExhaustedError",
    "RateLimitError",
    "Record",
    "RecordId",
    "RecordNotFoundError",
    "RedisQuota",
    "RelatedRecords",
    "RelatedTypes",
    "Relation",
    "RequestTimeoutError",
    "RetryPolicy",
    "SQLiteQuota",
    "ScaledClock",
    "Select",
    "ServerError",
    "ServiceName",
    "SharedQuota",
    "SharedQuotaWarning",
    "SilentChange",
    "SilentChangeError",
    "SilentChangeWarning",
    "StoreError",
    "Sync",
    "SystemClock",
    "Totals",
    "TransportError",
    "TypedQuery",
    "TypedRecord",
    "UnsupportedOperationError",
    "User",
    "ValidationError",
    "VtigerClient",
    "VtigerError",
    "WindowUse",
    "__version__",
    "parse",
    "select",
]

_LATER = {
    "Change": "client.sync",
    "LineItem": "models.inventory",
    "Plan": "quota.plan",
    "PostgresQuota": "stores.postgres",
    "Quota": "quota.snapshot",
    "RedisQuota": "stores.redis",
    "SQLiteQuota": "stores.sqlite",
    "SharedQuota": "stores.peek",
    "SharedQuotaWarning": "stores",
    "StoreError": "stores",
    "Sync": "client.sync",
    "Totals": "models.inventory",
}
"""The names that are loaded when a program asks for them, and where they live."""


if not TYPE_CHECKING:  # a type checker would take any name, and sees the imports above

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
