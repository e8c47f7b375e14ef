"""The small values that everything else is written in: record ids, JSON, and open enums."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, TypeAlias, TypeGuard

from vtiger_async.errors import InvalidIdError

__all__ = [
    "ID_FORM",
    "LINE_MODULES",
    "UNSYNCED_MODULES",
    "FieldValue",
    "Json",
    "RecordId",
    "ServiceName",
    "SyncScope",
    "is_list",
    "is_map",
    "whole_number",
]

LINE_MODULES = frozenset({"Invoice", "PurchaseOrder", "Quotes", "SalesOrder"})
"""The standard modules whose records have line items. Their rows come joined with those, before the
page is cut at 100 rows (measured on Vtiger 8.4): a page holds fewer records than rows, and an
offset counts rows."""

UNSYNCED_MODULES = frozenset(
    {
        "CompanyDetails",
        "Currency",
        "DocumentFolders",
        "Groups",
        "LineItem",
        "ProductTaxes",
        "Tax",
        "Users",
    }
)
"""The standard modules whose changes no server tells: of Users it tells none, and of the others it
refuses to (measured on Vtiger 8.4)."""

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""Any value that JSON can hold."""

_Scalar: TypeAlias = bool | int | float | str | Decimal | date | datetime | time
FieldValue: TypeAlias = "_Scalar | Sequence[FieldValue] | Mapping[str, FieldValue] | None"
"""Any Python value that may be given for a field of a record."""

SyncScope: TypeAlias = Literal["user", "userandgroup", "application"]
"""Whose records a sync tells of: the caller's, those of the caller's groups too, or all."""


def is_map(value: object) -> TypeGuard[dict[str, Any]]:
    """Tell whether a decoded JSON value is an object."""
    return isinstance(value, dict)


def whole_number(value: object) -> int | None:
    """Return the whole number from 0 that a JSON value holds, as a number or as text, or None."""
    text = str(value)
    # isdecimal() takes digits of every script; 18 of ours always make a number.
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Tell whether a decoded JSON value is an array."""
    return isinstance(value, list)


ID_FORM = re.compile(r"([0-9]{1,10})x([0-9]{1,19})", re.ASCII)
"""A record's id: the module's number and the record's."""


class RecordId(str):
    """A record's identifier, `NxM`: the module's prefix on this instance, and the record's number.

    It is a string everywhere a string is wanted; it sorts by prefix and then by number, as the
    server does. The prefix differs between instances: read it from `describe`, never from a table.

    Raises:
        InvalidIdError: The text is not of the form. Vtiger itself accepts some malformed ids and
            answers others with ACCESS_DENIED (measured on Vtiger 8.4), so the form is checked here.
    """

    __slots__ = ()

    def __new__(cls, value: object) -> RecordId:
        """Return `value` as a RecordId, or raise InvalidIdError."""
        if isinstance(value, cls):
            return value
        text = str(value)
        if not isinstance(value, str) or ID_FORM.fullmatch(text) is None:
            raise InvalidIdError(
                f"{text[:60]!r} is not a record id: the form is NxM, a module's number, an x and "
                "a record's number, as in 4x12"
            )
        return super().__new__(cls, text)

    @property
    def prefix(self) -> str:
        """The module's part: `"4"` of `4x12`."""
        return self.partition("x")[0]

    @property
    def number(self) -> int:
        """The record's part: 12 of `4x12`."""
        return int(self.partition("x")[2])

    def _key(self) -> tuple[int, int]:
        prefix, _, number = self.partition("x")
        return int(prefix), int(number)

    def __lt__(self, other: str) -> bool:
        return self._key() < other._key() if isinstance(other, RecordId) else str(self) < other

    def __le__(self, other: str) -> bool:
        return self._key() <= other._key() if isinstance(other, RecordId) else str(self) <= other

    def __gt__(self, other: str) -> bool:
        return self._key() > other._key() if isinstance(other, RecordId) else str(self) > other

    def __ge__(self, other: str) -> bool:
        return self._key() >= other._key() if isinstance(other, RecordId) else str(self) >= other

    def __repr__(self) -> str:
        return f"RecordId({str(self)!r})"

    def __getnewargs__(self) -> tuple[str]:
        return (str(self),)


class ServiceName(StrEnum):
    """The service names of `editionLimits` (manual of 2025, "Service Name Keywords").

    The set is open: wherever a ServiceName is taken, any other string is taken too.
    """

    INBOX_LIMIT = "INBOX_LIMIT"
    GMAIL_TWO_WAY_SYNC = "GMAIL_TWO_WAY_SYNC"
    IMPORT_FILE_LIMIT = "IMPORT_FILE_LIMIT"
    DOCUMENT_UPLOAD_FILE_LIMIT = "DOCUMENT_UPLOAD_FILE_LIMIT"
    SCHEDULED_WORKFLOW = "SCHEDULED_WORKFLOW"
    EMAILCAMPAIGN_LIMIT = "EMAILCAMPAIGN_LIMIT"
    MODULE_BUILDER_LIMIT = "MODULE_BUILDER_LIMIT"
    BHOUR_RECORD_LIMIT = "BHOUR_RECORD_LIMIT"
    SLA_RECORD_LIMIT = "SLA_RECORD_LIMIT"
    WEBHOOKS_ACTIONS = "WEBHOOKS_ACTIONS"
    WEBHOOK_CALLS = "WEBHOOK_CALLS"
    REPORTS_COLUMN_LIMIT = "REPORTS_COLUMN_LIMIT"
    CUSTOM_FIELD_LIMIT_BY_TYPE_PER_MODULE = "CUSTOM_FIELD_LIMIT_BY_TYPE_PER_MODULE"
    PICKLIST_VALUES_MAX_ALLOWED = "PICKLIST_VALUES_MAX_ALLOWED"
    SCHEDULED_WORKFLOW_RECORD_SET_LIMIT = "SCHEDULED_WORKFLOW_RECORD_SET_LIMIT"
    MULTIPATH_WORKFLOW_LIMIT = "MULTIPATH_WORKFLOW_LIMIT"
    WORKFLOW_ACTIONS = "WORKFLOW_ACTIONS"
    SCHEDULED_WORKFLOW_HOURLY_LIMIT = "SCHEDULED_WORKFLOW_HOURLY_LIMIT"
    SCHEDULED_WORKFLOW_DAILY_LIMIT = "SCHEDULED_WORKFLOW_DAILY_LIMIT"
    STORAGE = "STORAGE"
    STORAGE_USER_QUOTA = "STORAGE_USER_QUOTA"
    WORKFLOW_SEND_EMAIL_ATTACHMENTS_LIMIT = "WORKFLOW_SEND_EMAIL_ATTACHMENTS_LIMIT"
    MASSEMAIL_TRIAL_LIMIT = "MASSEMAIL_TRIAL_LIMIT"
    MASSEMAIL_EDITION_LIMIT = "MASSEMAIL_EDITION_LIMIT"
    MENTION_UPLOAD_FILE_LIMIT = "MENTION_UPLOAD_FILE_LIMIT"
    EMAILS_TRIAL_LIMIT = "EMAILS_TRIAL_LIMIT"
    EMAILS_EDITION_LIMIT = "EMAILS_EDITION_LIMIT"
    DASHBOARD_TAB_LIMIT = "DASHBOARD_TAB_LIMIT"
    ATTACHMENTS_UPLOAD_LIMIT = "ATTACHMENTS_UPLOAD_LIMIT"
    SUMMARY_WIDGET_CUSTOM_LIMIT = "SUMMARY_WIDGET_CUSTOM_LIMIT"
    CUSTOM_FIELD_LIMIT = "CUSTOM_FIELD_LIMIT"
    WORKFLOW_LIMIT = "WORKFLOW_LIMIT"
    APPROVALS_PROCESS_LIMIT_PER_MODULE = "APPROVALS_PROCESS_LIMIT_PER_MODULE"
    APPROVALS_RULES_LIMIT_PER_PROCESS = "APPROVALS_RULES_LIMIT_PER_PROCESS"
    APPROVALS_PROCESS_LIMIT = "APPROVALS_PROCESS_LIMIT"
    GLOBAL_PICKLISTS_LIMIT = "GLOBAL_PICKLISTS_LIMIT"
    LBL_PIVOT_REPORT = "LBL_PIVOT_REPORT"
    LBL_CHARTS = "LBL_CHARTS"
    SCHEDULED_REPORT = "SCHEDULED_REPORT"
    SESSION_LIMIT_PER_DEVICE = "SESSION_LIMIT_PER_DEVICE"
    LIGHT_AGENT_ROLE = "LIGHT_AGENT_ROLE"
    SINGLE_APP_ROLE = "SINGLE_APP_ROLE"
    LIGHT_AGENT_USER = "LIGHT_AGENT_USER"
    CCEMAIL_LIMIT = "CCEMAIL_LIMIT"
    SENSITIVE_FIELD_LIMIT = "SENSITIVE_FIELD_LIMIT"
    SINGLE_APP_USER = "SINGLE_APP_USER"
    MINILIST_MAX_ALLOWED_COLUMNS = "MINILIST_MAX_ALLOWED_COLUMNS"
    WEBSERVICE_LIMIT = "WEBSERVICE_LIMIT"
    EMAILSEQUENCE_USER_DAILY_EMAILS_LIMIT = "EMAILSEQUENCE_USER_DAILY_EMAILS_LIMIT"
    LBL_CUSTOM_REPORT = "LBL_CUSTOM_REPORT"
    PROFILES_LIMIT = "PROFILES_LIMIT"
    ROLES_LIMIT = "ROLES_LIMIT"
    CUSTOM_CONSENT_FIELD_LIMIT = "CUSTOM_CONSENT_FIELD_LIMIT"
    PIVOT_DATA_LIMIT = "PIVOT_DATA_LIMIT"
    WEBSENSE_TRACKER_LIMIT = "WEBSENSE_TRACKER_LIMIT"
    HELPDESK_EMAILS_LIMIT = "HELPDESK_EMAILS_LIMIT"
    APPROVALS_REQUEST_EMAIL_ATTACHMENTS_LIMIT = "APPROVALS_REQUEST_EMAIL_ATTACHMENTS_LIMIT"
    FIELD_CUSTOM_VALIDATION_RULE_LIMIT = "FIELD_CUSTOM_VALIDATION_RULE_LIMIT"
    SMSREPLY_RULES = "SMSREPLY_RULES"
    SMSREPLY_ACTIONS = "SMSREPLY_ACTIONS"
    LINE_ITEMS_CUSTOM_FIELD_LIMIT = "LINE_ITEMS_CUSTOM_FIELD_LIMIT"
    MODULEDESIGNER_MODULE_TAPSCRIPTS_LIMIT = "MODULEDESIGNER_MODULE_TAPSCRIPTS_LIMIT"
    MODULEDESIGNER_INSTANCE_TAPSCRIPTS_LIMIT = "MODULEDESIGNER_INSTANCE_TAPSCRIPTS_LIMIT"
    MODULEDESIGNER_MODULE_TAPSTYLES_LIMIT = "MODULEDESIGNER_MODULE_TAPSTYLES_LIMIT"
    MODULEDESIGNER_INSTANCE_TAPSTYLES_LIMIT = "MODULEDESIGNER_INSTANCE_TAPSTYLES_LIMIT"
    MODULEDESIGNER_MODULE_PAGES_LIMIT = "MODULEDESIGNER_MODULE_PAGES_LIMIT"
    MODULEDESIGNER_INSTANCE_PAGES_LIMIT = "MODULEDESIGNER_INSTANCE_PAGES_LIMIT"
    APIDESIGNER_API_LIMIT = "APIDESIGNER_API_LIMIT"
    LBL_SERVICE_LEVEL_AGREEMENT_MODULE_LIMIT = "LBL_SERVICE_LEVEL_AGREEMENT_MODULE_LIMIT"
    METRIC_PICKLIST_VALUES_MAX_ALLOWED = "METRIC_PICKLIST_VALUES_MAX_ALLOWED"
    LANDING_PAGES_EDITION_LIMIT = "LANDING_PAGES_EDITION_LIMIT"
    SOCIAL_FACEBOOK_LIMIT = "SOCIAL_FACEBOOK_LIMIT"
    SOCIAL_INSTAGRAM_LIMIT = "SOCIAL_INSTAGRAM_LIMIT"
    SOCIAL_GOOGLE_LIMIT = "SOCIAL_GOOGLE_LIMIT"
    SOCIAL_TWITTER_LIMIT = "SOCIAL_TWITTER_LIMIT"
    SOCIAL_SEARCHSTREAMS_LIMIT = "SOCIAL_SEARCHSTREAMS_LIMIT"
    IMAGE_MAX_UPLOAD_SIZE = "IMAGE_MAX_UPLOAD_SIZE"
    PROCESS_DESIGNER_PROCESS_PER_MODULE = "PROCESS_DESIGNER_PROCESS_PER_MODULE"
    PROCESS_DESIGNER_FLOWS_PER_PROCESS = "PROCESS_DESIGNER_FLOWS_PER_PROCESS"
    PROCESS_DESIGNER_ACTIONS_PER_FLOW = "PROCESS_DESIGNER_ACTIONS_PER_FLOW"
    RADIO_VALUES_MAX_ALLOWED = "RADIO_VALUES_MAX_ALLOWED"
    FACEBOOKLEADS_RECORD_LIMIT = "FACEBOOKLEADS_RECORD_LIMIT"
    CCEMAIL_TRIAL_LIMIT = "CCEMAIL_TRIAL_LIMIT"
    BCCEMAIL_TRIAL_LIMIT = "BCCEMAIL_TRIAL_LIMIT"
    BCCEMAIL_LIMIT = "BCCEMAIL_LIMIT"
    LIVE_CHAT_AGENTS_LIMIT = "LIVE_CHAT_AGENTS_LIMIT"
    INSIGHTSDESIGNER_INSIGHT_LIMIT = "INSIGHTSDESIGNER_INSIGHT_LIMIT"
    INSIGHTSDESIGNER_INSIGHT_WIDGET_LIMIT = "INSIGHTSDESIGNER_INSIGHT_WIDGET_LIMIT"
    PROCESS_DESIGNER_SCHEDULED_PROCESS = "PROCESS_DESIGNER_SCHEDULED_PROCESS"
    PROCESS_DESIGNER_SCHEDULED_PROCESS_FLOWS = "PROCESS_DESIGNER_SCHEDULED_PROCESS_FLOWS"
    SLA_NOTIFICATION_LIMIT = "SLA_NOTIFICATION_LIMIT"
    EXPORT_LIMIT = "EXPORT_LIMIT"
    SCHEDULED_WORKFLOW_RECORDS_LIMIT = "SCHEDULED_WORKFLOW_RECORDS_LIMIT"
    LAYOUT_DESIGNER_RECORDS_LIMIT = "LAYOUT_DESIGNER_RECORDS_LIMIT"
    CSATSURVEYS_RECORDS_LIMIT = "CSATSURVEYS_RECORDS_LIMIT"
    MACROS_JOB_DAILY_RUN_LIMIT = "MACROS_JOB_DAILY_RUN_LIMIT"
    MACROS_SCRIPT_DAILY_RUN_LIMIT = "MACROS_SCRIPT_DAILY_RUN_LIMIT"
