"""Line items: a list in a row, or one line a row."""

from __future__ import annotations

from typing import Any

import pytest
from planned import ADMIN, Desk

from vtiger_async import LineItem
from vtiger_async.bulk.lines import put
from vtiger_async.bulk.load import Load
from vtiger_async.bulk.mapping import Column

pytestmark = pytest.mark.anyio

COLUMNS = {
    "No": "subject",
    "For": Column("account_id"),
    "Product": "LineItems.productid",
    "Qty": "LineItems.quantity",
    "Price": "LineItems.listprice",
    "Tax": "LineItems.tax1",
}
CONSTANTS = {"bill_street": "S", "ship_street": "S"}


def row(number: str, product: str, quantity: str = "1", **more: str) -> dict[str, str]:
    """Return one row of an invoice."""
    cells = {"No": number, "For": "", "Product": product, "Qty": quantity, "Price": "2", "Tax": ""}
    return {**cells, **more}


def invoices(rows: Any, **options: Any) -> Load:
    """Return a load of invoices by their subject."""
    given = {"module": "Invoice", "key": "subject", "owner": ADMIN, "constants": CONSTANTS}
    return Load(rows=rows, **{**given, "mapping": COLUMNS, **options})


async def things(desk: Desk) -> tuple[str, str, str]:
    """Create an organisation and two products, and return their ids."""
    (buyer,) = await desk.create("Accounts", {"accountname": "Buyer"})
    one, two = await desk.create("Products", {"productname": "Hammer X"}, {"productname": "Nail X"})
    return buyer, one, two


class TestRows:
    """One line a row."""

    async def test_rows_of_one_key_are_one_document(self, desk: Desk) -> None:
        """Rows that follow each other with one key are lines of the first row's document."""
        buyer, one, two = await things(desk)
        rows = [
            row("Inv 1", "hammer x", "3", For="buyer"),
            row("Inv 1", "Nail X", "100", Tax="7"),
            row("Inv 2", one, For="Buyer"),
            row("Inv 1", two),
        ]
        job = await desk.plan(invoices(rows))
        first = job.row(1)
        assert first.action == "create"
        assert first.fields["account_id"] == buyer
        assert first.fields["LineItems"] == [
            {"productid": one, "quantity": "3", "listprice": "2"},
            {"productid": two, "quantity": "100", "listprice": "2", "tax1": "7"},
        ]
        assert job.row(2).reason == ["line 2 of row 1"]
        assert (job.row(2).state, job.row(2).raw) == ("skipped", rows[1])
        assert job.row(3).fields["LineItems"][0]["productid"] == one
        assert job.row(4).reason == ["repeats row 1"]

    async def test_what_is_wrong_with_a_line(self, desk: Desk) -> None:
        """A document is rejected with all of its rows, and every problem is told."""
        await things(desk)
        rows = [
            row("Inv 1", "Hammer X", For="Buyer"),
            row("Inv 1", "Nothing X", "many"),
            row("Inv 2", "Nail X", For="Buyer"),
        ]
        job = await desk.plan(invoices(rows))
        assert [job.row(number).state for number in (1, 2)] == ["rejected"] * 2
        problems = "; ".join(job.row(1).reason)
        assert "row 2: column 'Qty'" in problems
        assert "'Nothing X': no record has it" in problems
        assert job.row(2).reason == ["row 1 of the same document is rejected"]
        assert job.row(3).action == "create"

    async def test_rows_that_say_different_things(self, desk: Desk) -> None:
        """What later rows say of the document is empty, or the same."""
        await things(desk)
        await desk.create("Accounts", {"accountname": "Other"})
        rows = [
            row("Inv 1", "Hammer X", For="Buyer"),
            row("Inv 1", "Nail X", For="Buyer"),
            row("Inv 2", "Hammer X", For="Buyer"),
            row("Inv 2", "Nail X", For="Other"),
        ]
        job = await desk.plan(invoices(rows))
        assert job.row(1).action == "create"
        assert "row 4 says otherwise than row 3" in job.row(3).reason[0]

    async def test_no_line_at_all(self, desk: Desk) -> None:
        """A document of which no row has a line is rejected where it would be new."""
        await things(desk)
        cells = {"Qty": "", "Price": "", "For": "Buyer"}
        job = await desk.plan(invoices([row("Inv 1", "", **cells), row("Inv 1", "", **cells)]))
        assert job.numbers == {"rejected": 2}
        assert any("LineItems: a record of this module" in one for one in job.row(1).reason)

    async def test_without_a_key(self, desk: Desk) -> None:
        """Each row is a document of its own."""
        await things(desk)
        rows = [row("Inv 1", "Hammer X", For="Buyer"), row("Inv 1", "Nail X", For="Buyer")]
        job = await desk.plan(invoices(rows, key=None))
        assert job.numbers == {"create": 2}


class TestLists:
    """The lines as a list in one cell."""

    async def test_python_lines(self, desk: Desk) -> None:
        """LineItem and mappings; a product by its name."""
        buyer, one, two = await things(desk)
        lines = [LineItem(one, "2", "3.50"), {"productid": "nail x", "quantity": 5, "listprice": 1}]
        rows = [{"subject": "Inv 1", "account_id": buyer, "LineItems": lines}]
        job = await desk.plan(invoices(rows, mapping=None))
        found = job.row(1).fields["LineItems"]
        assert [line["productid"] for line in found] == [one, two]
        assert found[0]["listprice"] == "3.50"

    async def test_the_same_lines_again(self, desk: Desk) -> None:
        """A document that is there costs one call to see its lines; only other lines change it."""
        buyer, one, two = await things(desk)
        lines = [{"productid": one, "quantity": "2", "listprice": "3.5"}]
        given = {"subject": "Inv 1", "account_id": buyer, **CONSTANTS}
        async with desk.sandbox.client() as crm:
            fields = {**given, "assigned_user_id": ADMIN, "LineItems": lines}
            there = await crm.create("Invoice", fields)
        rows = [{"subject": "Inv 1", "account_id": buyer, "LineItems": lines}]
        job = await desk.plan(invoices(rows, mapping=None))
        assert (job.row(1).state, job.row(1).record_id) == ("unchanged", there.id)
        assert job.calls["retrieve"] == 1
        lines = [*lines, {"productid": two, "quantity": "1", "listprice": "1"}]
        rows = [{"subject": "Inv 1", "account_id": buyer, "LineItems": lines}]
        step = (await desk.plan(invoices(rows, mapping=None))).row(1)
        assert (step.action, set(step.fields)) == ("revise", {"LineItems"})
        assert len(step.fields["LineItems"]) == 2
        assert len(step.old["LineItems"]) == 1

    async def test_products_of_the_same_job(self, desk: Desk) -> None:
        """A line waits for its product, under the name of its place."""
        buyer, one, _ = await things(desk)
        lines = [
            {"productid": one, "quantity": "2", "listprice": "3.5"},
            {"productid": "New", "quantity": "1", "listprice": "1"},
        ]
        rows = [{"subject": "Inv 1", "account_id": buyer, "LineItems": lines}]
        products = Load(
            rows=[{"productname": "new"}], module="Products", key="productname", owner=ADMIN
        )
        job = await desk.plan(invoices(rows, mapping=None), products)
        step = job.row(1)
        assert step.waits == {"LineItems[1].productid": (1, "new")}
        put(step.fields, "LineItems[1].productid", "6x99")
        assert step.fields["LineItems"][1] == {
            "productid": "6x99", "quantity": "1", "listprice": "1",
        }  # fmt: skip

    async def test_a_product_cannot_be_left_out(self, desk: Desk) -> None:
        """missing="empty" does not hold for the product of a line."""
        buyer, _, _ = await things(desk)
        lines = [{"productid": "Nothing", "quantity": "2", "listprice": "3.5"}]
        rows = [{"subject": "Inv 1", "account_id": buyer, "LineItems": lines}]
        job = await desk.plan(invoices(rows, mapping=None, missing="empty"))
        assert job.row(1).state == "rejected"


def test_put() -> None:
    """A plain name is a field; one with a place is that of a line."""
    fields: dict[str, Any] = {"LineItems": [{}, {}]}
    put(fields, "subject", "A")
    put(fields, "LineItems[1].productid", "6x1")
    assert fields == {"subject": "A", "LineItems": [{}, {"productid": "6x1"}]}
