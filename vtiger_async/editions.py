"""The vendor's API limits per edition: data, with the dates of the pages they were read from.

The numbers have changed twice since 2019, so they are a start and not the truth: `limits=`
overrides them, and what the response headers say wins.
Source: the vendor's "Vtiger CRM API Limits" article, versions of 2019-2022 and April 2025.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from vtiger_async.errors import ConfigurationError

__all__ = [
    "EDITIONS",
    "DayPolicy",
    "Edition",
    "Limits",
    "edition_named",
    "hours_with",
    "limits_of",
]

DayPolicy: TypeAlias = Literal["rolling", "utc"]
"""How the day's window moves: the last 24 hours, or the day from 00:00 UTC.

The limits article says the first, the usage article shows the second; rolling is the default.
"""


@frozen
class Limits:
    """How many calls an instance grants; None means no limit that is known.

    Attributes:
        minute: Calls a minute.
        hour: Calls an hour.
        day: Calls a day.
        day_policy: `"rolling"` (the last 24 hours) or `"utc"` (from 00:00 UTC).
    """

    minute: int | None = None
    hour: int | None = None
    day: int | None = None
    day_policy: DayPolicy = "rolling"

    def __attrs_post_init__(self) -> None:
        """Refuse limits that no call could ever pass."""
        for name in ("minute", "hour", "day"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise ConfigurationError(
                    f"limits: {name} is a whole number of calls from 1, or None; not {value!r}"
                )
        if self.day_policy not in ("rolling", "utc"):
            raise ConfigurationError(
                f"limits: day_policy is 'rolling' or 'utc', not {self.day_policy!r}"
            )


@frozen
class Edition:
    """One edition's row in the vendor's table.

    Attributes:
        name: The name used here, as in `edition="one-professional"`.
        title: The vendor's name.
        as_of: The date of the page the numbers stand on.
        free_day: Calls a day that come with the instance.
        user_day: Calls a day that each user adds.
        ceiling_day: The most that a day can have, boosters included.
        hour: Calls an hour.
        minute: Calls a minute.
    """

    name: str
    title: str
    as_of: str
    free_day: int
    user_day: int
    ceiling_day: int
    hour: int
    minute: int

    @property
    def has_api(self) -> bool:
        """Whether this edition grants API calls at all."""
        return self.minute > 0

    def limits(
        self, users: int | None = None, boosters: int = 0, day_policy: DayPolicy = "rolling"
    ) -> Limits:
        """Return the limits of an instance: free + users x per user + boosters, up to the ceiling.

        Args:
            users: Paid users; unknown counts as one, the least that an instance has.
            boosters: Calls a day from booster packs.
            day_policy: How the day's window moves.
        """
        day = self.free_day + self.user_day * (1 if users is None else users) + boosters
        return Limits(
            minute=self.minute,
            hour=self.hour,
            day=min(day, self.ceiling_day),
            day_policy=day_policy,
        )


_ROWS = (
    # name, title, as of, free a day, per user a day, ceiling a day, hour, minute
    ("one-pilot", "One Pilot", "2025-04", 0, 0, 0, 0, 0),
    ("one-growth", "One Growth", "2025-04", 3000, 200, 24000, 1000, 30),
    ("one-professional", "One Professional", "2025-04", 6000, 600, 72000, 4000, 60),
    ("one-enterprise", "One Enterprise", "2025-04", 6000, 1000, 120000, 5000, 90),
    ("one-ai", "One AI", "2025-04", 6000, 1000, 120000, 5000, 90),
    ("free", "Free", "2022", 3000, 100, 4000, 100, 20),
    ("starter", "Starter", "2022", 3000, 200, 27000, 1000, 30),
    ("exclusive", "Exclusive", "2022", 3000, 200, 27000, 1000, 30),
    ("sales-professional", "Sales Professional", "2022", 6000, 400, 54000, 2000, 45),
    ("helpdesk-professional", "HelpDesk Professional", "2022", 6000, 400, 54000, 2000, 45),
    ("all-in-one-professional", "All-in-One Professional", "2022", 6000, 600, 78000, 2500, 60),
    ("enterprise", "Enterprise", "2022", 6000, 800, 102000, 3000, 75),
    ("enterprise-plus", "Enterprise Plus", "2022", 6000, 1000, 126000, 4000, 90),
)

EDITIONS: dict[str, Edition] = {row[0]: Edition(*row) for row in _ROWS}
"""Every edition of the vendor's tables by the name used here."""


def hours_with(minute: int) -> tuple[int, ...]:
    """Return the limits an hour of the editions that have this limit a minute, the least first.

    Args:
        minute: Calls a minute, as a header tells them.

    Returns:
        Calls an hour; none where no edition with an API has that minute.
    """
    editions = [edition for edition in EDITIONS.values() if edition.has_api]
    return tuple(sorted({edition.hour for edition in editions if edition.minute == minute}))


def edition_named(name: str) -> Edition:
    """Return the edition of that name; case, spaces and underscores do not matter.

    Raises:
        ConfigurationError: No edition has that name; the message lists those that are known.
    """
    key = "-".join(name.lower().replace("_", " ").replace("-", " ").split())
    try:
        return EDITIONS[key]
    except KeyError:
        known = ", ".join(EDITIONS)
        raise ConfigurationError(
            f"unknown edition {name!r}: known are {known}; leave it out and the limits are learned "
            "from the response headers, or give limits=Limits(...)"
        ) from None


def limits_of(
    edition: str | None,
    *,
    users: int | None = None,
    boosters: int = 0,
    limits: Limits | None = None,
) -> Limits:
    """Return the limits to start from: those given, else the edition's, else none known.

    Raises:
        ConfigurationError: The edition is unknown or has no API, or a number is negative.
    """
    if users is not None and users < 0:
        raise ConfigurationError(f"users is a number from 0, not {users!r}")
    if boosters < 0:
        raise ConfigurationError(f"boosters is a number of calls a day from 0, not {boosters!r}")
    if edition is None:
        return limits or Limits()
    found = edition_named(edition)
    if not found.has_api:
        raise ConfigurationError(
            f"the edition {found.title} has no API: its limit is 0 calls a day ({found.as_of}). "
            "Every other edition of Vtiger has one"
        )
    return limits or found.limits(users, boosters)
