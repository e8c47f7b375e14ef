"""One seed record per call, by module: what is put into its fields.

Every function takes the record's place in its module, the module's own random numbers, and the
world so far, and returns the fields that are not empty. Only `random()` is asked of the random
numbers: its sequence is the same on every version of Python.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeAlias, TypeVar

from attrs import define, field

from vtiger_async.sandbox import seed_words as words
from vtiger_async.sandbox.schema import SCHEMA
from vtiger_async.sandbox.schema_picklists import DEPENDENCIES, PICKLISTS

__all__ = ["MAKERS", "Maker", "World", "account_name", "chosen", "decimal"]

_T = TypeVar("_T")
Values: TypeAlias = "dict[str, str | None]"


@define
class World:
    """What was made so far.

    Attributes:
        numbers: The numbers of each module's records.
    """

    numbers: dict[str, range] = field(factory=dict[str, range])

    def some(self, rng: Random, module: str, upto: int | None = None) -> str | None:
        """Return the id of one record of a module, or None where it has none.

        Args:
            rng: The random numbers.
            module: The module.
            upto: Only the first so many of its records.
        """
        numbers = self.numbers.get(module, range(0))[:upto]
        return SCHEMA.modules[module].record_id(chosen(rng, numbers)) if numbers else None

    def nth(self, module: str, place: int) -> str | None:
        """Return the id of the record at a place of a module, counted round and round."""
        numbers = self.numbers.get(module, range(0))
        return SCHEMA.modules[module].record_id(numbers[place % len(numbers)]) if numbers else None


Maker: TypeAlias = Callable[[int, Random, World], Values]
"""What returns the fields of the record at a place of its module."""


def chosen(rng: Random, values: Sequence[_T]) -> _T:
    """Return one of the values."""
    return values[int(rng.random() * len(values))]


def decimal(rng: Random, most: int, digits: int = 8) -> str:
    """Return an amount below `most`, with two digits that count."""
    cents = int(rng.random() * most * 100)
    return f"{cents // 100}.{cents % 100:02d}{'0' * (digits - 2)}"


def _value(rng: Random, name: str) -> str:
    return chosen(rng, PICKLISTS[name])


def _slug(text: str) -> str:
    split = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "".join(c for c in split if c.isalnum()) or "x"


def _phone(rng: Random) -> str:
    return f"+1 555 {int(rng.random() * 10**7):07d}"


def _day(rng: Random, year: int) -> str:
    return f"{year}-{1 + int(rng.random() * 12):02d}-{1 + int(rng.random() * 28):02d}"


def account_name(place: int) -> str:
    """Return the name of the organisation at a place; one in twenty is nearly that before it."""
    if place % 20 == 13:
        before = account_name(place - 1)
        return (f"{before}.", f"The {before}", before.replace(" ", "  ", 1))[place // 20 % 3]
    heads, kinds, ends = words.COMPANY_HEADS, words.COMPANY_KINDS, words.COMPANY_ENDS
    rest, head = divmod(place, len(heads))
    rest, kind = divmod(rest + head, len(kinds))
    again = f" {place}" if place >= len(heads) * len(kinds) else ""
    return f"{heads[head]} {kinds[kind]} {ends[(place + rest) % len(ends)]}{again}"


def _account(place: int, rng: Random, world: World) -> Values:
    city, _, country = chosen(rng, words.CITIES).partition(":")
    name = account_name(place)
    interests = [v for v in PICKLISTS["cf_851"] if rng.random() < 0.3]
    numbers = world.numbers["Accounts"]
    child = place % 6 == 5 and place > 5
    return {
        "accountname": name,
        "phone": _phone(rng),
        "website": f"https://{_slug(name)}.example",
        "email1": f"info@{_slug(name)}.example",
        "employees": str(int(rng.random() * 5000)),
        "industry": _value(rng, "industry"),
        "accounttype": _value(rng, "accounttype"),
        "rating": _value(rng, "rating") if rng.random() < 0.5 else "",
        "annual_revenue": decimal(rng, 5_000_000),
        "bill_street": f"{1 + int(rng.random() * 200)} Main St",
        "bill_city": city,
        "bill_code": f"{int(rng.random() * 10**5):05d}",
        "bill_country": country,
        "account_id": SCHEMA.modules["Accounts"].record_id(numbers[place // 2]) if child else None,
        "description": chosen(rng, words.SENTENCES) if rng.random() < 0.3 else "",
        "cf_851": " |##| ".join(interests),
        "cf_853": "1" if rng.random() < 0.1 else "0",
        "cf_855": decimal(rng, 30, 2),
        "cf_857": _day(rng, 2027) if rng.random() < 0.4 else None,
    }


def _person(place: int, rng: Random) -> Values:
    first, last = chosen(rng, words.FIRST_NAMES), chosen(rng, words.LAST_NAMES)
    return {
        "salutationtype": chosen(rng, ("", "Mr.", "Ms.", "Dr.")),
        "firstname": first if rng.random() < 0.9 else "",
        "lastname": last,
        "email": f"{_slug(first)}.{_slug(last)}{place}@example.com" if rng.random() < 0.9 else "",
        "phone": _phone(rng),
        "mobile": _phone(rng) if rng.random() < 0.5 else "",
    }


def _contact(place: int, rng: Random, world: World) -> Values:
    values = _person(place, rng)
    if place % 40 == 17:  # the same person twice, in other letters
        values |= {"firstname": "Renee", "lastname": "MULLER", "email": "renee@example.com"}
    if place % 40 == 18:
        values |= {"firstname": "Renée", "lastname": "Müller", "email": "renee@example.com"}
    city, _, country = chosen(rng, words.CITIES).partition(":")
    languages = [v for v in PICKLISTS["cf_861"] if rng.random() < 0.3]
    # The first organisation has more contacts than the server shows of a relation.
    account = world.nth("Accounts", 0) if place < 120 else world.some(rng, "Accounts")
    return values | {
        "account_id": account if rng.random() < 0.9 else None,
        "title": chosen(rng, words.JOBS),
        "leadsource": _value(rng, "leadsource"),
        "birthday": _day(rng, 1950 + int(rng.random() * 55)) if rng.random() < 0.5 else None,
        "donotcall": "1" if rng.random() < 0.1 else "0",
        "mailingcity": city,
        "mailingcountry": country,
        "description": chosen(rng, words.SENTENCES) if rng.random() < 0.2 else "",
        "cf_861": " |##| ".join(languages),
        "cf_863": decimal(rng, 100, 2),
        "cf_865": f"P{int(rng.random() * 10**7):07d}" if rng.random() < 0.3 else "",
        "cf_memberfrom": _day(rng, 2023) if rng.random() < 0.3 else None,
    }


def _lead(place: int, rng: Random, world: World) -> Values:
    of_account = place % 30 == 5 and "Accounts" in world.numbers
    city, _, country = chosen(rng, words.CITIES).partition(":")
    return _person(place, rng) | {
        "company": account_name(place if of_account else 100_003 + place),
        "designation": chosen(rng, words.JOBS),
        "leadsource": _value(rng, "leadsource"),
        "leadstatus": _value(rng, "leadstatus"),
        "industry": _value(rng, "industry"),
        "annualrevenue": decimal(rng, 900_000),
        "noofemployees": str(int(rng.random() * 800)),
        "city": city,
        "country": country,
        "cf_871": _value(rng, "cf_871"),
    }


def _deal(place: int, rng: Random, world: World) -> Values:
    stages = DEPENDENCIES["Potentials", "pipeline", "sales_stage"]
    pipeline = _value(rng, "pipeline")
    return {
        "potentialname": f"{chosen(rng, words.ITEMS)} x {1 + int(rng.random() * 90)} ({place + 1})",
        "amount": decimal(rng, 80_000),
        "related_to": world.some(rng, "Accounts"),
        "contact_id": world.some(rng, "Contacts") if rng.random() < 0.6 else None,
        "closingdate": _day(rng, 2026),
        "opportunity_type": _value(rng, "opportunity_type"),
        "pipeline": pipeline,
        "sales_stage": chosen(rng, stages[pipeline]),
        "probability": f"{5 * int(rng.random() * 21)}.000",
        "campaignid": world.some(rng, "Campaigns") if rng.random() < 0.2 else None,
        "cf_881": decimal(rng, 60, 2),
    }


def _product(place: int, rng: Random, world: World) -> Values:
    return {
        "productname": f"{words.ITEMS[place % len(words.ITEMS)]} {place // len(words.ITEMS) + 1}",
        "productcode": f"SKU-{place + 1:05d}",
        "productcategory": _value(rng, "productcategory"),
        "manufacturer": _value(rng, "manufacturer"),
        "vendor_id": world.some(rng, "Vendors"),
        "unit_price": decimal(rng, 900),
        "usageunit": _value(rng, "usageunit"),
        "qtyinstock": f"{int(rng.random() * 500)}.000",
        "discontinued": "0" if rng.random() < 0.05 else "1",
    }


def _ticket(place: int, rng: Random, world: World) -> Values:
    severities = DEPENDENCIES["HelpDesk", "ticketcategories", "ticketseverities"]
    category = _value(rng, "ticketcategories")
    due = f"{_day(rng, 2026)} {8 + int(rng.random() * 10):02d}:30:00"
    return {
        "ticket_title": chosen(rng, words.PROBLEMS),
        "parent_id": world.some(rng, "Accounts"),
        "contact_id": world.some(rng, "Contacts"),
        "product_id": world.some(rng, "Products") if rng.random() < 0.5 else None,
        "ticketpriorities": _value(rng, "ticketpriorities"),
        "ticketstatus": _value(rng, "ticketstatus"),
        "ticketcategories": category,
        "ticketseverities": chosen(rng, severities[category]),
        "description": f"{chosen(rng, words.SENTENCES)} ({place + 1})",
        "cf_891": due if rng.random() < 0.4 else None,
    }


def _vendor(place: int, rng: Random, world: World) -> Values:
    del world
    city, _, country = chosen(rng, words.CITIES).partition(":")
    return {
        "vendorname": f"{chosen(rng, words.COMPANY_HEADS)} Supply {place + 1}",
        "phone": _phone(rng),
        "email": f"orders{place}@supply.example",
        "glacct": _value(rng, "glacct"),
        "city": city,
        "country": country,
    }


MAKERS: dict[str, Maker] = {
    "Vendors": _vendor,
    "Accounts": _account,
    "Contacts": _contact,
    "Leads": _lead,
    "Potentials": _deal,
    "Products": _product,
    "HelpDesk": _ticket,
}
"""The makers of the larger modules; those of the others are in seed_more.py."""
