"""The data that a sandbox starts with: the same for every run and every version of Python."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from decimal import Decimal
from random import Random

from vtiger_async.sandbox.access import GROUPS, users_of
from vtiger_async.sandbox.picklists import fill
from vtiger_async.sandbox.schema import LINE_ITEM, SCHEMA, Module
from vtiger_async.sandbox.seed_more import ALL_MAKERS
from vtiger_async.sandbox.seed_rows import World, chosen, decimal
from vtiger_async.sandbox.store import LIVE, Store
from vtiger_async.sandbox.syncing import stamp

__all__ = ["STANDARD", "plant"]

STANDARD = {
    "Vendors": 20, "Campaigns": 12, "Accounts": 300, "Contacts": 400, "Leads": 300,
    "Products": 80, "Services": 20, "PriceBooks": 3, "Potentials": 200, "Quotes": 30,
    "SalesOrder": 30, "PurchaseOrder": 15, "Invoice": 90, "HelpDesk": 150, "Faq": 12,
    "Documents": 40, "Calendar": 60, "Events": 40, "Emails": 20, "Project": 12,
    "ProjectTask": 36, "Assets": 20, "ServiceContracts": 10, "ModComments": 60,
}  # fmt: skip
"""How many records of each module there are, in the order in which they are made."""

_START = 1_704_096_000  # 2024-01-01 08:00:00 UTC
_SPAN = 300 * 86_400  # the seconds over which the records are spread
_OWNERS = ("19x1", "19x1", "19x1", "19x5", "19x5", "20x2", "20x3", "19x7")
_IMAGE = bytes.fromhex(
    "47494638396101000100800000000000ffffff2c00000000010001000002024401003b"
)  # a GIF of one pixel


_SETTINGS: dict[str, str | None] = {
    "activity_view": "Today", "lead_view": "Today", "hour_format": "24", "start_hour": "09:00",
    "reports_to_id": "", "currency_id": "21x1", "currency_grouping_pattern": "123,456,789",
    "currency_decimal_separator": ".", "currency_grouping_separator": ",",
    "currency_symbol_placement": "$1.0", "internal_mailer": "1", "theme": "softed",
    "language": "en_us", "reminder_interval": "1 Minute", "no_of_currency_decimals": "2",
    "dayoftheweek": "Sunday", "callduration": "5", "othereventduration": "5",
    "calendarsharedtype": "public", "default_record_view": "Summary", "rowheight": "medium",
    "defaulteventstatus": "Planned", "defaultactivitytype": "Call",
}  # fmt: skip
"""What a user's settings are at first."""
_FIRST: dict[str, str | None] = {
    "activity_view": "This Week", "hour_format": "12", "start_hour": "00:00", "end_hour": "23:00",
    "is_owner": "1", "theme": "alphagrey", "phone_crm_extension": None, "rowheight": None,
    "truncate_trailing_zeros": "1", "hidecompletedevents": None,
    "defaultcalendarview": "MyCalendar", "defaultlandingpage": "Home",
}  # fmt: skip
"""Where those of the first user are others."""


def plant(store: Store, seed: int, records: int | None) -> None:
    """Fill an empty store.

    Args:
        store: The store, whose tables exist.
        seed: What the data is derived from.
        records: How many records in all; None for the standard ones, 0 for none.
    """
    with store.writing():
        store.run("INSERT INTO meta VALUES ('seed', ?)", (str(seed),))
        fill(store)
        _system(store, seed)
        counts = _counts(records)
        world, first = World(), 101
        step = max(_SPAN // max(sum(counts.values()), 1), 1)
        for name, count in counts.items():
            module = SCHEMA.modules[name]
            world.numbers[name] = range(first, first + count)
            rng = Random(f"{seed} {name}")  # noqa: S311 - test data, the same for every run
            store.insert_many(module, _rows(store, module, rng, world, step))
            first += count
        _extras(store, seed, world, first)
    store.reload()


def _counts(records: int | None) -> dict[str, int]:
    """Share a number of records among the modules as the standard does."""
    if records is None:
        return STANDARD
    whole = sum(STANDARD.values())
    counts: dict[str, int] = {}
    before = given = 0
    for name, count in STANDARD.items():
        before += count
        counts[name] = records * before // whole - given
        given += counts[name]
    return counts


def _system(store: Store, seed: int) -> None:
    """Store the users, the groups and the other small modules."""
    for user in users_of(seed).values():
        values = {
            "user_name": user.name,
            "is_admin": "on" if user.is_admin else "off",
            "first_name": user.first_name,
            "last_name": user.last_name,
            "roleid": "H2" if user.is_admin else "H5",
            "email1": f"{user.name}@example.com",
            "status": "Active" if user.active else "Inactive",
            "time_zone": user.time_zone,
            "date_format": "yyyy-mm-dd" if user.is_admin else "mm-dd-yyyy",
            "userlabel": f"{user.first_name} {user.last_name}",
        }
        _put(store, "Users", user.number, _SETTINGS | (_FIRST if user.number == 1 else {}) | values)
    for number, name, text in GROUPS:
        _put(store, "Groups", number, {"groupname": name, "description": text})
    for number, name, code, symbol, rate in (
        (1, "USA, Dollars", "USD", "$", "1.00000"),
        (2, "Euro", "EUR", "€", "0.92000"),
    ):
        values = {"currency_name": name, "currency_code": code, "currency_symbol": symbol}
        default = {"defaultid": "-11" if number == 1 else "0", "currency_status": "Active"}
        _put(store, "Currency", number, values | default | {"conversion_rate": rate})
    for number, name in ((1, "Default"), (2, "Verträge")):
        values = {"foldername": name, "sequence": str(number)}
        described = {"description": "This is a Default Folder"} if number == 1 else {}
        _put(store, "DocumentFolders", number, values | described)
    for number, label, rate in (
        (1, "VAT", "4.500"),
        (2, "Sales", "10.000"),
        (3, "Service", "12.500"),
    ):
        values = {"taxname": f"tax{number}", "taxlabel": label, "percentage": rate}
        fixed = {"method": "Simple", "type": "Fixed", "compoundon": "[]", "regions": "[]"}
        _put(store, "Tax", number, values | fixed)
    company = {"organizationname": "Sandbox & Söhne", "city": "Lyon", "logoname": "logo.gif"}
    _put(store, "CompanyDetails", 1, company | {"logo": b64encode(_IMAGE).decode()})


def _put(store: Store, name: str, number: int, values: Mapping[str, str | None]) -> None:
    module = SCHEMA.modules[name]
    row = tuple(values.get(item.name, item.empty) for item in module.stored)
    store.insert(module, number, row)


def _rows(
    store: Store, module: Module, rng: Random, world: World, step: int
) -> Iterator[tuple[object, ...]]:
    """Yield the rows of one module; those of inventory documents store their line items, too."""
    make, columns = ALL_MAKERS[module.name], module.columns
    for place, number in enumerate(world.numbers[module.name]):
        values = make(place, rng, world)
        # Four in fifty records share one second, as records that are written together do.
        together = number - number % 4 if number % 50 < 4 else number
        created = _START + together * step
        changed = created + int(rng.random() * 20 * 86_400) if rng.random() < 0.3 else created
        values |= {
            "createdtime": stamp(created),
            "modifiedtime": stamp(changed),
            "modifiedby": "19x1",
            "source": "CRM",
        }
        if "assigned_user_id" in columns:
            values["assigned_user_id"] = chosen(rng, _OWNERS)
        if module.number_field:
            values[module.number_field] = f"{module.number_prefix}{place + 1}"
        if module.has_lines:
            values |= _lines(store, module, number, rng, world)
        row = [number, LIVE, *module.empty_row]
        for name, value in values.items():
            row[columns[name] + 2] = value
        yield tuple(row)


def _lines(
    store: Store, module: Module, number: int, rng: Random, world: World
) -> dict[str, str | None]:
    """Store one to four line items of a record and return the totals."""
    lines = SCHEMA.modules[LINE_ITEM]
    total = Decimal(0)
    for place in range(1, 2 + int(rng.random() * 4)):
        price, quantity = decimal(rng, 900), 1 + int(rng.random() * 9)
        total += Decimal(price) * quantity
        values = {
            "parent_id": module.record_id(number),
            "productid": world.some(rng, "Products" if rng.random() < 0.8 else "Services"),
            "sequence_no": str(place),
            "quantity": f"{quantity}.000",
            "listprice": price,
            "incrementondel": "1",
        }
        row = tuple(values.get(item.name, item.empty) for item in lines.stored)
        store.insert(lines, store.next_number(lines), row)
    return dict.fromkeys(("hdnSubTotal", "hdnGrandTotal", "pre_tax_total"), f"{total:.8f}")


def _extras(store: Store, seed: int, world: World, first: int) -> None:
    """Store the files, the tags, and the pairs of related records."""
    rng = Random(f"{seed} extras")  # noqa: S311 - test data, the same for every run
    files = [
        (f"7x{number}", f"note {number}.txt", "text/plain", f"Contents of {number}: é\n".encode())
        for number in world.numbers.get("Documents", range(0))[::2]
    ]
    contacts = world.numbers.get("Contacts", range(0))
    files += [(f"4x{number}", "face.gif", "image/gif", _IMAGE) for number in contacts[:1]]
    for number, (parent, name, content_type, content) in enumerate(files, first):
        row = (number, parent, name, content_type, content)
        store.run("INSERT INTO files VALUES (?, ?, ?, ?, ?)", row)
        module, own = SCHEMA.by_prefix[int(parent.partition("x")[0])], int(parent.partition("x")[2])
        values: dict[str, str | None] = {"filename": name, "filetype": content_type}
        values |= {"filesize": str(len(content)), "filedownloadcount": "0"}
        store.change(module, own, values if module.name == "Documents" else {"imagename": name})
    pairs: set[tuple[int, int]] = set()
    for a, b, count in (
        ("Campaigns", "Contacts", 200),
        ("Accounts", "Documents", 60),
        ("Potentials", "Products", 120),
        ("Contacts", "Vendors", 20),
    ):
        ours, theirs = world.numbers.get(a, range(0)), world.numbers.get(b, range(0))
        if ours and theirs:
            pairs |= {(chosen(rng, ours[:2]), chosen(rng, theirs)) for _ in range(count)}
    for pair in sorted(pairs):
        store.run("INSERT INTO pairs VALUES (?, ?)", pair)
    for number in contacts[:20:4]:
        store.run("INSERT INTO tags VALUES (?, 'admin', 'vip')", (number,))
        store.change(SCHEMA.modules["Contacts"], number, {"tags": "vip"})
