"""Keys: how they are compared, and what looking them up costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from vtiger_async import InvalidResponseError, VtigerClient
from vtiger_async.bulk.keys import Lookup, folded, folded_key
from vtiger_async.bulk.packing import packed
from vtiger_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

OWNER = "19x1"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An instance without limits."""
    with Sandbox(limits=False) as made:
        yield made


def calls(sandbox: Sandbox) -> dict[str, int]:
    """Return the calls that the instance has answered, by operation."""
    return dict(sandbox.ledger()["calls"])


async def accounts(crm: VtigerClient, *names: str, **fields: Any) -> list[str]:
    """Create organisations and return their ids."""
    return [
        str(
            (
                await crm.create(
                    "Accounts", {"accountname": n, "assigned_user_id": OWNER, **fields}
                )
            ).id
        )
        for n in names
    ]


class TestFolding:
    """`folded` and `folded_key`."""

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("ACME", "acme"),
            ("Fundação", "fundacao"),
            ("Acme  ", "Acme"),
            ("ΟΔΟΣ", "οδος"),
            ("A &amp; B", "a & b"),
            ("STRAẞE", "straße"),
        ],
    )
    def test_what_the_server_takes_for_the_same(self, one: str, other: str) -> None:
        """Case, accents, trailing spaces and entities make no difference."""
        assert folded(one) == folded(other)

    @pytest.mark.parametrize(("one", "other"), [("straße", "strasse"), (" a", "a"), ("a b", "ab")])
    def test_what_it_takes_for_different(self, one: str, other: str) -> None:
        """A sharp s is no double s; spaces that are not at the end count."""
        assert folded(one) != folded(other)

    def test_the_fields_of_a_key_stay_apart(self) -> None:
        """`ab`, `c` is another key than `a`, `bc`."""
        assert folded_key(["ab", "c"]) != folded_key(["a", "bc"])
        assert folded_key(["Ab", "C "]) == folded_key(["ab", "c"])


class TestPacking:
    """`packed`."""

    @settings(max_examples=50)
    @given(st.lists(st.integers(1, 90), max_size=60), st.integers(1, 10))
    def test_all_items_are_in_groups_that_fit(self, costs: list[int], most: int) -> None:
        """Each item is in one group; a group has no more items, and no more bytes, than it may."""
        groups = packed(range(len(costs)), costs.__getitem__, most, 100)
        assert sorted(place for group in groups for place in group) == list(range(len(costs)))
        assert all(len(group) <= most for group in groups)
        assert all(sum(costs[place] for place in group) <= 100 for group in groups)

    def test_long_items_are_spread(self) -> None:
        """Ten long items in a row do not make one group more than their bytes need."""
        costs = [30] * 10 + [1] * 90
        assert len(packed(costs, int, 10, 100)) == 10

    def test_an_item_that_is_too_long_is_alone(self) -> None:
        """It has a group of its own, and is not lost."""
        assert packed([500, 1], int, 10, 100) == [[500], [1]]


class TestFinding:
    """`Lookup.find`."""

    async def test_a_unique_key_costs_one_call_a_hundred(self, sandbox: Sandbox) -> None:
        """A thousand keys of a unique field are ten calls, and none asks who the user is."""
        async with sandbox.client() as crm:
            ids = await accounts(crm, "Öl & Gas", "O'Neil \\ Söhne", 'The "Best"', "x" * 100)
            module = await crm.describe("Accounts")
            before = calls(sandbox)
            lookup = Lookup(crm, module, ("accountname",), ("phone",))
            wanted = ["öl &amp; gas ", "o'neil \\ sohne", 'the "best"', "X" * 100]
            wanted += [f"New organisation {i}" for i in range(996)]
            found = await lookup.find([(name,) for name in wanted])
        assert [str(found[folded(name)][0].id) for name in wanted[:4]] == ids
        assert len(found) == 4
        assert set(found[folded("o'neil \\ sohne")][0]) == {"id", "accountname", "phone"}
        assert calls(sandbox)["query"] - before.get("query", 0) == lookup.calls == 10
        assert "me" not in calls(sandbox)

    async def test_long_keys_are_cut_only_as_far_as_needed(self, sandbox: Sandbox) -> None:
        """A hundred keys that take two URLs are two calls."""
        async with sandbox.client() as crm:
            await accounts(crm, f"{'ä' * 60} 7")
            module = await crm.describe("Accounts")
            lookup = Lookup(crm, module, ("accountname",))
            found = await lookup.find([(f"{'ä' * 60} {i}",) for i in range(28)])
        assert list(found) == [f"{'a' * 60} 7"]
        assert lookup.calls == 2

    async def test_200_characters_of_three_bytes(self, sandbox: Sandbox) -> None:
        """Keys whose letters take nine bytes each in a URL are found all the same."""
        async with sandbox.client() as crm:
            names = [f"{'松' * 95}{i:03}" for i in range(20)]
            ids = await accounts(crm, *names)
            module = await crm.describe("Accounts")
            lookup = Lookup(crm, module, ("accountname",))
            found = await lookup.find([(name,) for name in names])
        assert [str(found[folded(name)][0].id) for name in names] == ids
        assert lookup.calls == 4

    async def test_an_administrator_sees_the_end_in_a_short_page(self, sandbox: Sandbox) -> None:
        """A key that is not unique costs one call to ask who the user is, and one a hundred."""
        async with sandbox.client() as crm:
            (first, second) = await accounts(crm, "One", "Two", phone="555-0001")
            module = await crm.describe("Accounts")
            lookup = Lookup(crm, module, ("phone",))
            found = await lookup.find([("555-0001",), ("555-0002",)])
        assert {key: [str(one.id) for one in some] for key, some in found.items()} == {
            "555-0001": [first, second]
        }
        assert lookup.calls == 2
        assert calls(sandbox)["me"] == 1

    @pytest.mark.parametrize("user", ["admin", "sales"])
    async def test_more_than_a_hundred_records_of_a_key(self, sandbox: Sandbox, user: str) -> None:
        """All of them are found, whoever asks."""
        async with sandbox.client() as crm:
            ids = await accounts(crm, *(f"Org {i}" for i in range(230)), phone="555-0001")
        async with sandbox.client(user) as crm:
            lookup = Lookup(crm, await crm.describe("Accounts"), ("phone",))
            found = await lookup.find([("555-0001",)])
        assert [str(record.id) for record in found["555-0001"]] == ids

    async def test_what_is_hidden_is_not_found(self, sandbox: Sandbox) -> None:
        """A restricted user's key finds what that user sees, behind a page that shows nothing."""
        async with sandbox.client() as crm:
            for i in range(3):
                fields = {"lastname": "Hidden", "assigned_user_id": OWNER, "phone": f"{i}"}
                await crm.create("Contacts", fields)
            fields = {"lastname": "Hidden", "assigned_user_id": "19x5"}
            shown = await crm.create("Contacts", fields)
        async with sandbox.client("sales") as crm:
            visible = [str(one.id) async for one in crm.query("SELECT id FROM Contacts;")]
            lookup = Lookup(crm, await crm.describe("Contacts"), ("lastname",))
            found = await lookup.find([("hidden",)])
        assert str(shown.id) in visible
        assert {str(record.id) for record in found["hidden"]} <= set(visible)
        assert str(shown.id) in [str(record.id) for record in found["hidden"]]

    async def test_by_id(self, sandbox: Sandbox) -> None:
        """An id is asked for only if it is one of the module."""
        async with sandbox.client() as crm:
            (rid,) = await accounts(crm, "One")
            lookup = Lookup(crm, await crm.describe("Accounts"), ("id",), ("accountname",))
            number = rid.partition("x")[2]
            found = await lookup.find([(rid,), (f"4x{number}",), (number,), ("",), ("3xx",)])
            assert list(found) == [rid]
            assert found[rid][0]["accountname"] == "One"
            assert await lookup.find([("4x1",)]) == {}
        assert lookup.calls == 1

    async def test_several_fields(self, sandbox: Sandbox) -> None:
        """A key of two fields costs one call a hundred; what mixes two keys is not of them."""
        async with sandbox.client() as crm:
            for first, last in (("Ann", "Moe"), ("Bob", "Noe"), ("Ann", "Noe"), ("", "Moe")):
                fields = {"firstname": first, "lastname": last, "assigned_user_id": OWNER}
                await crm.create("Contacts", fields)
            module = await crm.describe("Contacts")
            lookup = Lookup(crm, module, ("firstname", "lastname"))
            found = await lookup.find([("ANN", "moe"), ("Bob", "Noe"), ("Cid", "Poe")])
            assert {key: len(some) for key, some in found.items()} == {
                folded_key(["ann", "moe"]): 1,
                folded_key(["bob", "noe"]): 1,
            }
            assert lookup.calls == 2  # one of them asks who the user is
            found = await lookup.find([("", "Moe"), ("Bob", "Noe")])
            assert set(found) == {folded_key(["", "moe"]), folded_key(["bob", "noe"])}
            assert await lookup.find([("", " ")]) == {}

    async def test_several_fields_that_mix_into_more_than_a_page(self, sandbox: Sandbox) -> None:
        """Where the mixed keys fill a page, the exact ones are asked for."""
        async with sandbox.client() as crm:
            module = await crm.describe("Contacts")
            wanted = [(f"First{i % 12}", f"Last{i // 12}") for i in range(144)]
            for first, last in wanted:
                fields = {"firstname": first, "lastname": last, "assigned_user_id": OWNER}
                await crm.create("Contacts", fields)
            lookup = Lookup(crm, module, ("firstname", "lastname"))
            found = await lookup.find([(f"First{i}", f"Last{i}") for i in range(12)])
        assert set(found) == {folded_key([f"first{i}", f"last{i}"]) for i in range(12)}
        assert all(len(records) == 1 for records in found.values())
        assert lookup.calls == 3

    async def test_numbers_and_references(self, sandbox: Sandbox) -> None:
        """A number is the same with other digits behind it; a reference is the whole id."""
        async with sandbox.client() as crm:
            (parent,) = await accounts(crm, "Parent")
            (child,) = await accounts(crm, "Child", account_id=parent, employees="12")
            module = await crm.describe("Accounts")
            lookup = Lookup(crm, module, ("account_id", "employees"))
            found = await lookup.find([(parent, "12.00"), (parent, "13"), ("x", "12")])
            assert [str(one.id) for one in found[lookup.key_of((parent, "12"))]] == [child]
            assert found[folded_key((parent, "12.00"))] == found[lookup.key_of((parent, "12"))]
            assert len({id(records) for records in found.values()}) == 1
            wrong = f"4{parent[parent.index('x') :]}"
            assert await lookup.find([(wrong, "12")]) == {}

    async def test_what_only_the_server_takes_for_the_same(self, sandbox: Sandbox) -> None:
        """A record that comes for a key which is not folded to it is given to that key."""
        async with sandbox.client() as crm:
            (first, second) = await accounts(crm, "Strasse", "Other")
            module = await crm.describe("Accounts")
            lookup = Lookup(crm, module, ("accountname",))
            found = await lookup.find([("Third",), ("Straße",), ("other",)])
        assert {key: str(records[0].id) for key, records in found.items()} == {
            "straße": first,
            "other": second,
        }
        assert lookup.calls == 2

    async def test_documents_are_read_to_the_end(self, sandbox: Sandbox) -> None:
        """Rows of documents come joined with lines: no short page proves anything."""
        async with sandbox.client() as crm:
            module = await crm.describe("Invoice")
            known = await crm.query("SELECT id, subject FROM Invoice;").first()
            assert known is not None
            lookup = Lookup(crm, module, ("subject",))
            found = await lookup.find([(known["subject"],)])
            assert known.id in [one.id for one in found[folded(known["subject"])]]
            assert lookup.calls >= 2

    async def test_more_fields_than_a_url_holds(self, sandbox: Sandbox) -> None:
        """Where the names take too much room, all fields are asked for."""
        async with sandbox.client() as crm:
            await accounts(crm, "One")
            module = await crm.describe("Accounts")
            many = [f"field_that_is_not_there_{i}" for i in range(70)]
            found = await Lookup(crm, module, ("accountname",), many).find([("one",)])
        assert found["one"][0]["accountname"] == "One"
        assert len(found["one"][0]) > 20

    async def test_unique_in_name_only(self, sandbox: Sandbox) -> None:
        """Records from before a field was made unique are all found."""
        async with sandbox.client() as crm:
            ids = await accounts(crm, *(f"Org {i}" for i in range(120)), phone="1")
            module = await crm.describe("Accounts")
            phone = module.fields["phone"]
            module = evolve(module, fields={**module.fields, "phone": evolve(phone, unique=True)})
            found = await Lookup(crm, module, ("phone",)).find([("1",), ("2",)])
        assert [str(one.id) for one in found["1"]] == ids

    async def test_an_answer_that_is_no_list(self, sandbox: Sandbox) -> None:
        """It is an error, and not taken for "nothing found"."""
        async with sandbox.client() as crm:
            module = await crm.describe("Accounts")
        answer = httpx.Response(200, json={"success": True, "result": None})
        transport = httpx.MockTransport(lambda _: answer)
        http = httpx.AsyncClient(transport=transport)
        async with VtigerClient("https://crm.example", "jo", "key", http_client=http) as crm:
            with pytest.raises(InvalidResponseError, match="a list of records was expected"):
                await Lookup(crm, module, ("accountname",)).find([("One",)])
