"""How far the sandbox can be trusted: for each operation, what its behaviour rests on.

| word | what it means |
| --- | --- |
| documented | as the vendor's manuals or articles say; no answer of a server was compared |
| measured | compared with recorded answers of an open-source Vtiger 8.4 |
| assumed | the sources are silent, or differ: the sandbox does what is likeliest |
| not there | this kind of Vtiger has no such operation; how it refuses it is assumed |
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

__all__ = ["FIDELITY", "Evidence", "Fidelity"]

Evidence: TypeAlias = Literal["documented", "measured", "assumed", "not there"]
"""What the behaviour of an operation rests on."""


@frozen
class Fidelity:
    """What one part of the sandbox rests on.

    Attributes:
        part: An operation's name on the wire, or what else a server does.
        cloud: What it rests on with the profile `cloud`.
        oss_8_4: What it rests on with the profile `oss-8.4`.
        remark: What else is to be known, as which part of it rests on less.
    """

    part: str
    cloud: Evidence
    oss_8_4: Evidence
    remark: str


_ROWS: tuple[tuple[str, Evidence, Evidence, str], ...] = (
    ("me", "documented", "measured", "the Cloud's whole record is read in public client code"),
    ("listtypes", "documented", "measured", "the modules are those of a standard installation"),
    ("describe", "documented", "measured", "fields and labels are those of 8.4, and few of users"),
    (
        "create",
        "documented",
        "measured",
        "the silent losses on `cloud` are assumed to be those of 8.4; totals are simple sums",
    ),
    ("retrieve", "documented", "measured", ""),
    ("decrypt", "documented", "not there", ""),
    ("update", "documented", "measured", ""),
    ("revise", "documented", "measured", ""),
    ("delete", "documented", "measured", ""),
    (
        "query",
        "documented",
        "measured",
        "on `cloud` the lexer's errors and LIMIT before permissions are assumed to be as on 8.4",
    ),
    (
        "sync",
        "documented",
        "measured",
        "the size of a page on `cloud` is assumed to be that of 8.4",
    ),
    ("convertlead", "documented", "measured", "`cloud` is assumed to convert all or nothing"),
    ("relatedtypes", "documented", "measured", ""),
    ("retrieve_related", "documented", "measured", "the silent end at 100 is measured on 8.4"),
    ("query_related", "documented", "measured", "the leak of OR is measured on 8.4"),
    ("add_related", "documented", "measured", ""),
    ("delete_related", "documented", "documented", ""),
    ("reopen", "documented", "not there", ""),
    ("picklist_dependency", "documented", "documented", ""),
    ("tags_add", "documented", "documented", ""),
    ("tags_retrieve", "documented", "documented", "GET, as the manual has it"),
    ("tag_delete", "assumed", "assumed", "the manual and the vendor's SDK differ; both are taken"),
    (
        "files_retrieve",
        "documented",
        "measured",
        "an object with `filezie` (sic) in the manual, a list on 8.4",
    ),
    ("lookup", "documented", "documented", ""),
    ("get_account_hierarchy", "documented", "documented", "only its errors are measured"),
    ("add_picklist", "documented", "documented", ""),
    ("edit_picklist", "documented", "documented", ""),
    ("delete_picklist", "documented", "documented", ""),
    ("editionLimits", "assumed", "not there", "the manual does not state its HTTP method"),
    (
        "upload of a document",
        "assumed",
        "measured",
        "multipart, with the names of parts read in public client code",
    ),
    ("webservice.php: getchallenge, login", "assumed", "measured", "`cloud` does as 8.4"),
    ("webservice.php: extendsession, logout", "assumed", "measured", "`cloud` does as 8.4"),
    (
        "webservice.php: other operations",
        "assumed",
        "measured",
        "HTTP 200 for errors; which ones are fatal under PHP 8",
    ),
    (
        "quota headers",
        "documented",
        "assumed",
        "the open source has no quota: `limits=False` is as it is",
    ),
    ("quota: calls a minute, hour and day", "documented", "assumed", ""),
    ("quota: how the minute and the hour move", "assumed", "assumed", "both can be chosen"),
    ("quota: how the day moves", "assumed", "assumed", "two articles differ; both can be chosen"),
    ("quota: body and headers of a refusal", "assumed", "assumed", "only the status 429 is known"),
    (
        "faults: `empty` and `php_warnings`",
        "assumed",
        "measured",
        "when they come is on order, what they look like is measured",
    ),
    ("faults: all others", "assumed", "assumed", "what proxies and connections do anywhere"),
    ("endpoints of API Designer", "assumed", "not there", "they are what a tenant builds"),
)

FIDELITY: tuple[Fidelity, ...] = tuple(Fidelity(*row) for row in _ROWS)
"""One row for each operation of the manuals, in their order, and for what else a server does."""
