"""The asyncio client SDK for the Vtiger CRM REST API.

```python
from vtiger_async import F, VtigerClient, select

async with VtigerClient(url, username, access_key, edition="one-professional", users=5) as crm:
    async for contact in crm.query(select("Contacts").where(F.lastname.startswith("Sm"))):
        print(contact.id, contact["lastname"])
```
"""

from vtiger_async.client import VtigerClient
from vtiger_async.client.core import Quota
from vtiger_async.client.query import Query, TypedQuery
from vtiger_async.client.related import RelatedRecords
from vtiger_async.client.sync import Change, Sync
from vtiger_async.clock import Clock, ScaledClock, SystemClock
from vtiger_async.editions import EDITIONS, Edition, Limits
from vtiger_async.errors import (
    AccessDeniedError,
    ApiError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    DuplicateRecordError,
    InvalidArgumentError,
    InvalidIdError,
    InvalidReferenceError,
    InvalidResponseError,
    LeadAlreadyConvertedError,
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
    "LookupHit",
    "MandatoryFieldError",
    "Module",
    "ModuleInfo",
    "OutcomeUnknownError",
    "PicklistDependency",
    "PicklistValue",
    "Problem",
    "Query",
    "QuerySyntaxError",
    "Quota",
    "QuotaExhaustedError",
    "RateLimitError",
    "Record",
    "RecordId",
    "RecordNotFoundError",
    "RelatedRecords",
    "RelatedTypes",
    "Relation",
    "RequestTimeoutError",
    "RetryPolicy",
    "ScaledClock",
    "Select",
    "ServerError",
    "ServiceName",
    "SilentChange",
    "SilentChangeError",
    "SilentChangeWarning",
    "Sync",
    "SystemClock",
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
