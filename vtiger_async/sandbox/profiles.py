"""What a profile of the sandbox does: one table, a row per trait and a column per profile.

`cloud` follows the vendor's manuals and what is known of the Cloud. `oss-8.4` follows what was
measured on an open-source Vtiger 8.4.0 under PHP 8.2. Where the two agree (paging, sync, the query
language, the silent losses on write) there is no trait here: the sandbox does it on both.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from vtiger_async.errors import ConfigurationError

__all__ = ["PROFILES", "Profile", "ProfileName", "profile_named"]

ProfileName: TypeAlias = Literal["cloud", "oss-8.4"]
"""The names of the profiles."""


@frozen(kw_only=True)
class Profile:
    """The traits of one kind of Vtiger.

    Attributes:
        name: What the profile is called.
        content_type: The Content-Type of the REST answers.
        version: What `login` tells as `vtigerVersion`.
        unsupported: Operations, in lower case, that answer 404 OPERATION_NOT_SUPPORTED: they are
            the Cloud's own.
        fatal_operations: Operations, in lower case, that answer HTTP 500: what they need is not
            there.
        session_calls_are_404: Whether `login` and its kin answer 404 on the REST path, where any
            other unknown operation answers 400.
        cloud_fields: Whether modules have the fields of the Cloud: pipelines and custom fields.
        brief_me: Whether `me` gives five keys, and not the user's whole record.
        plain_describe: Whether `describe` and `relatedtypes` leave out the keys that only the
            manual has (`inactivefields`, `closedStatesInfo`, `quickcreate`, `relation_id`, ...).
        writable_system: Whether `describe` calls every module of the system writable to those who
            may write, and `allowDuplicates` is false for each module of entities.
        entities_in_labels: Whether a label has an HTML entity for every character that HTML 4 names
            (`&euml;`, `&#039;`), and not only for the five of markup.
        plain_ids: Modules whose records have no label and, under this name, their bare number too.
        unread: The fields that a whole record leaves out and a query has.
        unset: What some fields read as in a whole record while nobody has written them: module,
            field and value.
        defaults_apply: Whether a new record gets what its fields' defaults say. Without it a
            boolean that nobody sent is 0, and only a document's conversion rate is filled in.
        words_are_no_dates: Whether a single word in a date is stored as no date at all, where text
            of several words is refused.
        dependents_go: Whether the deals and quotes of an organisation are deleted with it, and the
            purchase orders of a vendor, without a change of their `modifiedtime`.
        additions_are_changes: Whether a comment on a record, and a relation that is added to it,
            change its `modifiedtime`.
        document_discounts_hidden: Whether a query takes the discounts of a document for those of
            its lines, since their columns have the same names.
        one_status_in_sync: Whether a sync sends the status of a task as `taskstatus` and as
            `eventstatus`, whatever is stored as the other.
        starred_by_writer: Whether `starred` is empty for everyone but who wrote the record last,
            who stands for those that have looked at it.
        works_out_values: Whether the CRM works out how long an activity lasts, when to remind of
            it, what a deal is worth by its probability, and where a document's file is.
        numbers_repeat: Whether auto numbers (`lead_no`) repeat under load: a record that is created
            while other calls are under way may get the number of the one before it.
        file_in_list: Whether `files_retrieve` gives a list of one with `filesize` and the bare
            number as `fileid`, and not the manual's object with `filezie` (sic).
        atomic_conversion: Whether a `convertlead` that fails leaves nothing behind, knows what is
            a lead, and fills in `sales_stage`. Without it the organisation and the contact stay
            behind a failure at the deal, a deal wants its `sales_stage`, and records of other
            modules are converted too.
        everyone_converts: Whether a user without the right to write may convert leads.
        unnamed_company: What an organisation is called that is made from a lead without company;
            empty for the lead's last name.
        lines_cannot_change: Whether `update` and `revise` with LineItems end in HTTP 500, after
            the new lines took the place of the old ones and before the totals are worked out; and
            `create` with the tax type `individual`, after the document is stored and before its
            lines are; a document like that, which cannot be retrieved either.
        sync_fatal: Modules whose `sync` ends in HTTP 500; the empty name is one.
        session_operations: The operations of webservice.php, in lower case; empty for all. Any
            other is a fatal error there: HTTP 500 with an empty body.
        session_fatal: Operations of webservice.php that always end in that fatal error.
        stops_at_missing_maps: Whether `create` without `element` is such an error, too.
        rights_in_sql: Whether a query leaves out what the user may not read before LIMIT, as was
            measured of private modules, and not after it, as was measured too. The profiles do what
            is harder to read past; tests of the client set the other. Activities are always left
            out after LIMIT.
    """

    name: ProfileName
    content_type: str
    version: str
    unsupported: frozenset[str] = frozenset()
    fatal_operations: frozenset[str] = frozenset()
    session_calls_are_404: bool = False
    cloud_fields: bool = True
    brief_me: bool = False
    plain_describe: bool = False
    writable_system: bool = False
    entities_in_labels: bool = False
    plain_ids: tuple[tuple[str, str], ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    unset: tuple[tuple[str, str, str | None], ...] = ()
    defaults_apply: bool = True
    words_are_no_dates: bool = False
    dependents_go: bool = False
    additions_are_changes: bool = False
    document_discounts_hidden: bool = False
    one_status_in_sync: bool = False
    starred_by_writer: bool = False
    works_out_values: bool = False
    numbers_repeat: bool = False
    file_in_list: bool = False
    atomic_conversion: bool = True
    everyone_converts: bool = False
    unnamed_company: str = ""
    lines_cannot_change: bool = False
    sync_fatal: frozenset[str] = frozenset()
    session_operations: frozenset[str] = frozenset()
    session_fatal: frozenset[str] = frozenset()
    stops_at_missing_maps: bool = False
    rights_in_sql: bool = False


PROFILES: dict[ProfileName, Profile] = {
    "cloud": Profile(name="cloud", content_type="text/json", version="8.4.0"),
    "oss-8.4": Profile(
        name="oss-8.4",
        content_type="application/json; charset=UTF-8",
        version="8.4.0",
        unsupported=frozenset({"decrypt", "reopen", "editionlimits"}),
        fatal_operations=frozenset({"changepassword", "deleteuser", "retrieve_inventory"}),
        session_calls_are_404=True,
        cloud_fields=False,
        brief_me=True,
        plain_describe=True,
        writable_system=True,
        entities_in_labels=True,
        plain_ids=(
            ("Groups", "groupid"),
            ("Currency", ""),
            ("DocumentFolders", "folderid"),
            ("CompanyDetails", "organization_id"),
            ("Tax", "taxid"),
            ("Users", ""),
        ),
        unread=(("Tax", "compoundon"), ("Tax", "regions")),
        unset=(
            ("HelpDesk", "update_log", None),
            ("Documents", "filedownloadcount", ""),
            ("Documents", "filename", ""),
            ("ServiceContracts", "progress", ""),
            ("SalesOrder", "recurring_frequency", ""),
            ("SalesOrder", "payment_duration", ""),
            ("Calendar", "parent_id", ""),
            ("Calendar", "contact_id", ""),
            ("Calendar", "reminder_time", ""),
            ("Events", "parent_id", ""),
            ("Events", "contact_id", ""),
            ("Invoice", "salesorder_id", ""),
            ("CompanyDetails", "vatid", None),
            ("Quotes", "potential_id", ""),
            ("Quotes", "contact_id", ""),
            ("Project", "linktoaccountscontacts", ""),
            ("PBXManager", "customer", ""),
            ("PBXManager", "user", ""),
        ),
        defaults_apply=False,
        words_are_no_dates=True,
        dependents_go=True,
        additions_are_changes=True,
        document_discounts_hidden=True,
        one_status_in_sync=True,
        starred_by_writer=True,
        works_out_values=True,
        numbers_repeat=True,
        file_in_list=True,
        atomic_conversion=False,
        everyone_converts=True,
        unnamed_company="????",
        lines_cannot_change=True,
        sync_fatal=frozenset({"Emails", ""}),
        session_operations=frozenset(
            (
                "listtypes",
                "describe",
                "create",
                "retrieve",
                "update",
                "revise",
                "delete",
                "query",
                "sync",
                "relatedtypes",
                "query_related",
                "retrieve_related",
                "add_related",
                "files_retrieve",
                "convertlead",
            )
        ),
        session_fatal=frozenset({"sync"}),
        stops_at_missing_maps=True,
    ),
}
"""The profiles by name."""


def profile_named(name: str) -> Profile:
    """Return the profile of that name.

    Raises:
        ConfigurationError: There is none.
    """
    for profile in PROFILES.values():
        if profile.name == name:
            return profile
    raise ConfigurationError(f"unknown profile {name!r}: it is one of {', '.join(PROFILES)}")
