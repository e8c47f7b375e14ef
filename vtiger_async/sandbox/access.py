"""The users of the sandbox and what they may do.

They are the four of the recorded exchanges: `admin` may do everything; `sales` works in New York,
does not see Invoice or the field Leads.fax, and may not delete Accounts; `guest` may only read;
`inactive` may not log in. Contacts are private: only their owner, the owner's groups and admins see
them (measured on Vtiger 8.4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from attrs import evolve, field, frozen

from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.profiles import Profile
from vtiger_async.sandbox.schema import SCHEMA, Field, Module

__all__ = ["CLOUD_FIELDS", "GROUPS", "User", "denied", "users_of"]

GROUPS = (
    (2, "Team Selling", "Group Related to Sales"),
    (3, "Marketing Group", "Group Related to Marketing Activities"),
    (4, "Support Group", "Group Related to providing Support to Customers"),
)
"""The groups: number, name and description."""

_OSS_PRIVATE = frozenset({"Contacts", "Calendar", "Events", "PBXManager"})
_OSS_OPEN = frozenset(
    ("Services", "ServiceContracts", "Assets", "Project", "ProjectTask", "ProjectMilestone",
     "ModComments", "SMSNotifier", "PBXManager")
)  # fmt: skip
_OSS_HIDDEN = frozenset(
    (module, name)
    for module in ("Invoice", "Quotes", "SalesOrder", "PurchaseOrder")
    for name in ("discount_amount", "discount_percent", "image", "purchase_cost", "margin")
) | {("HelpDesk", "update_log")}

CLOUD_FIELDS = frozenset(
    (module.name, item.name)
    for module in SCHEMA.modules.values()
    for item in module.fields.values()
    if item.name.startswith("cf_")
    or (module.name == "Quotes" and item.name in ("salescommission", "exciseduty"))
    or item.name == "pipeline"
    or (module.name == "ModComments" and item.name in ("modifiedby", "starred", "tags"))
)
"""The fields that no fresh open-source Vtiger has: custom fields, pipelines, and some
of the fields of quotes and comments."""


def denied(message: str = "Permission to perform the operation is denied") -> Fault:
    """Return the answer that Vtiger gives for want of a right, a record, or a known name."""
    return Fault("ACCESS_DENIED", message)


@frozen
class User:
    """One user of the CRM.

    Attributes:
        name: The name to log in with.
        number: The record's number in the module Users.
        first_name: The first name.
        last_name: The last name.
        access_key: The key to log in with.
        is_admin: Whether every right is given.
        active: Whether the user may log in.
        read_only: Whether nothing may be written.
        time_zone: The zone that the user's own pages show.
        groups: The numbers of the groups the user belongs to.
        hidden_modules: The modules the user does not see.
        hidden_fields: The fields the user does not see, as (module, field).
        undeletable: The modules whose records the user may not delete.
        private: The modules of which others than admins see only what is theirs.
        writable: The modules that the user may write though else only reading.
        unwritable: The modules that the user may only read though else writing.
        date_format: How the user's own pages show a date, which `describe` tells.
    """

    name: str
    number: int
    first_name: str
    last_name: str
    access_key: str = field(repr=False)
    is_admin: bool = False
    active: bool = True
    read_only: bool = False
    time_zone: str = "UTC"
    groups: tuple[int, ...] = ()
    hidden_modules: frozenset[str] = frozenset({"Users"})
    hidden_fields: frozenset[tuple[str, str]] = frozenset()
    undeletable: frozenset[str] = frozenset()
    private: frozenset[str] = frozenset({"Contacts"})
    writable: frozenset[str] = frozenset()
    unwritable: frozenset[str] = frozenset()
    date_format: str = "yyyy-mm-dd"

    @property
    def id(self) -> str:
        """The user's record id (`19x1`)."""
        return SCHEMA.modules["Users"].record_id(self.number)

    @property
    def owners(self) -> tuple[str, ...]:
        """The owners whose records are the user's: the user and the groups."""
        groups = SCHEMA.modules["Groups"]
        return (self.id, *(groups.record_id(number) for number in self.groups))

    def sees(self, module: Module) -> bool:
        """Return whether the user sees the module at all."""
        return self.is_admin or module.name not in self.hidden_modules

    def sees_field(self, module: Module, item: Field) -> bool:
        """Return whether the user sees the field."""
        return "secret" not in item.flags and (module.name, item.name) not in self.hidden_fields

    def is_restricted(self, module: Module) -> bool:
        """Return whether the user sees only some records of the module."""
        return module.name in self.private and not self.is_admin

    def reads(self, module: Module, owner: str | None) -> bool:
        """Return whether the user may read a record of that owner."""
        return not self.is_restricted(module) or owner in self.owners

    def may_write(self, module: Module) -> bool:
        """Return whether the user may create and change records of the module."""
        if self.is_admin:
            return self.sees(module)
        if self.read_only and module.name not in self.writable:
            return False
        return self.sees(module) and module.name not in self.unwritable

    def may_delete(self, module: Module) -> bool:
        """Return whether the user may delete records of the module."""
        return self.may_write(module) and module.name not in self.undeletable


def _key(seed: int, name: str) -> str:
    return hashlib.sha256(f"vtiger sandbox {seed} access key of {name}".encode()).hexdigest()[:16]


def users_of(
    seed: int, access_key: str | None = None, profile: Profile | None = None
) -> Mapping[str, User]:
    """Return the users by name.

    Args:
        seed: What their access keys are derived from.
        access_key: The key of `admin`, in place of the derived one.
        profile: What kind of Vtiger it is; nobody sees the fields that it does not have.
    """
    users = (
        User(
            "admin", 1, "Ada", "Administrator", access_key or _key(seed, "admin"),
            is_admin=True, groups=(2,),
        ),
        User(
            "sales", 5, "Sam", "Sales", _key(seed, "sales"), time_zone="America/New_York",
            groups=(2,), hidden_modules=frozenset({"Users", "Invoice"}),
            hidden_fields=frozenset({("Leads", "fax")}), undeletable=frozenset({"Accounts"}),
        ),
        User("guest", 6, "Gus", "Guest", _key(seed, "guest"), read_only=True),
        User("inactive", 7, "Ina", "Inactive", _key(seed, "inactive"), active=False),
    )  # fmt: skip
    if profile is None or profile.cloud_fields:
        return {user.name: user for user in users}
    return {user.name: _of_the_open_source(user) for user in users}


def _of_the_open_source(user: User) -> User:
    """Return the user with the rights that the roles of a fresh open source give (measured)."""
    hidden = user.hidden_fields | CLOUD_FIELDS
    changed = evolve(user, hidden_fields=hidden, private=_OSS_PRIVATE)
    if user.is_admin:
        return changed
    return evolve(
        changed,
        hidden_fields=hidden | _OSS_HIDDEN,
        writable=_OSS_OPEN,
        unwritable=frozenset({"Emails", "DocumentFolders", "HelpDesk"}),
        date_format="mm-dd-yyyy" if user.name == "sales" else user.date_format,
    )
