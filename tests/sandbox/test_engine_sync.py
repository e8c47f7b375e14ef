"""The sandbox's sync: bounds, pages, scopes, and the losses that a client must survive."""

from __future__ import annotations

from typing import Any

import pytest
from engine_calls import NOW, Crm, on_the_cloud

T0 = int(NOW)


@pytest.fixture
def crm(profile: str) -> Crm:
    return Crm(profile=profile)


def sync(crm: Crm, since: object = 1, user: str = "admin", **more: Any) -> dict[str, Any]:
    params = {"modifiedTime": str(since), "elementType": "Leads", "syncType": "application"} | more
    return crm("sync", user, params=params)


def leads(crm: Crm, count: int, every: float = 0.0) -> list[str]:
    ids: list[str] = []
    for number in range(count):
        ids.append(crm.create("Leads", lastname=f"L{number}")["id"])
        crm.clock.now += every
    return ids


def test_whole_records_come_without_label(crm: Crm) -> None:
    """`updated` holds whole records in a query's form, `deleted` ids."""
    crm.create("Contacts", lastname="L0")
    answer = sync(crm, elementType="Contacts")
    assert sorted(answer) == ["deleted", "lastModifiedTime", "more", "updated"]
    record = answer["updated"][0]
    assert (record["lastname"], record["birthday"]) == ("L0", None)
    assert len(record) > 30
    assert "label" not in record


def test_the_lower_bound_is_strict(crm: Crm) -> None:
    """What changed in the second that is asked from does not come."""
    leads(crm, 1)
    assert len(sync(crm, T0 - 1)["updated"]) == 1
    again = sync(crm, T0)
    assert again == {"updated": [], "deleted": [], "more": False, "lastModifiedTime": T0}


def test_a_write_later_in_the_same_second_is_lost(crm: Crm) -> None:
    """Who asks again from lastModifiedTime never hears of it."""
    leads(crm, 1)
    last = sync(crm)["lastModifiedTime"]
    crm.clock.now += 0.9
    late = leads(crm, 1)[0]
    assert sync(crm, last)["updated"] == []
    assert [record["id"] for record in sync(crm, last - 1)["updated"]][-1] == late


def test_a_page_ends_with_the_second_of_the_100th_change(crm: Crm) -> None:
    """250 records, one a second, come as 100, 100 and 50."""
    ids = leads(crm, 250, every=1)
    since, seen, sizes, mores = 1, [], [], []
    while True:
        answer = sync(crm, since)
        if not answer["updated"]:
            break
        since = answer["lastModifiedTime"]
        seen += [record["id"] for record in answer["updated"]]
        sizes.append(len(answer["updated"]))
        mores.append(answer["more"])
    assert (sizes, mores) == ([100, 100, 50], [True, True, False])
    assert seen == ids


def test_a_second_is_never_cut(crm: Crm) -> None:
    """450 records of one second are one page."""
    leads(crm, 450)
    answer = sync(crm)
    assert (len(answer["updated"]), answer["more"], answer["lastModifiedTime"]) == (450, False, T0)


def test_deletes_are_told_also_of_what_was_never_seen(crm: Crm) -> None:
    """A record that is changed and deleted in the window is in `deleted` only."""
    ids = leads(crm, 2, every=1)
    crm("revise", element={"id": ids[0], "city": "x"})
    crm("delete", id=ids[0])
    answer = sync(crm)
    assert answer["deleted"] == [ids[0]]
    assert [record["id"] for record in answer["updated"]] == [ids[1]]


def test_a_page_can_be_empty_with_more_to_come(crm: Crm) -> None:
    """A window of deletes has no updated record, and `more` is true."""
    ids = leads(crm, 101)
    for record_id in ids:
        crm.clock.now += 1
        crm("delete", id=record_id)
    answer = sync(crm)
    assert (answer["updated"], len(answer["deleted"]), answer["more"]) == ([], 100, True)


def test_a_converted_lead_counts_as_deleted(crm: Crm) -> None:
    """It can still be retrieved, but no query finds it."""
    lead = leads(crm, 1)[0]
    crm("convertlead", element={"leadId": lead, "entities": {"Contacts": {"create": True}}})
    assert sync(crm)["deleted"] == [lead]
    assert crm("retrieve", id=lead)["id"] == lead
    assert crm.query("select id from Leads;") == []


@pytest.mark.parametrize("since", ["0", "", "-5"])
def test_the_beginning_is_asked_for_in_many_ways(crm: Crm, since: str) -> None:
    """0, nothing and negative numbers ask for everything."""
    leads(crm, 1)
    assert len(sync(crm, since)["updated"]) == 1


def test_text_for_a_time_is_refused(crm: Crm) -> None:
    """The time is a number of seconds."""
    answer = crm.refused("sync", elementType="Leads", modifiedTime="abc")
    assert answer == ("QUERY_SYNTAX_ERROR", "modifiedTime must be a UNIX timestamp")


def test_the_scope_is_the_present_owner(crm: Crm) -> None:
    """`user` tells of the caller's records, and one that is given away vanishes in silence."""
    own, team, other = leads(crm, 3)
    crm("revise", element={"id": own, "assigned_user_id": "19x5"})
    crm("revise", element={"id": team, "assigned_user_id": "20x2"})

    def seen(scope: str, user: str = "sales") -> set[str]:
        return {record["id"] for record in sync(crm, 1, user, syncType=scope)["updated"]}

    assert seen("user") == seen("bogus") == {own}
    assert seen("userandgroup") == {own, team}
    assert seen("application", "admin") == {own, team, other}
    crm("revise", element={"id": own, "assigned_user_id": "19x1"})
    answer = sync(crm, 1, "sales", syncType="user")
    assert (answer["updated"], answer["deleted"]) == ([], [])


def test_application_is_for_admins(crm: Crm) -> None:
    """Anyone else is denied."""
    params = {"elementType": "Leads", "modifiedTime": "1", "syncType": "application"}
    assert crm.refused("sync", "sales", **params)[0] == "ACCESS_DENIED"


@pytest.mark.parametrize("module", ["Currency", "Groups", "LineItem", "Nope"])
def test_small_modules_are_not_synchronised(crm: Crm, module: str) -> None:
    """Modules that hold no entities, and unknown ones, are ACCESS_DENIED."""
    answer = crm.refused("sync", elementType=module, modifiedTime="1", syncType="application")
    assert answer == ("ACCESS_DENIED", "Permission to perform the operation is denied")


@on_the_cloud
def test_no_module_is_denied(crm: Crm) -> None:
    """A sync of no module is ACCESS_DENIED; the open source fails over it."""
    answer = crm.refused("sync", modifiedTime="1", syncType="application")
    assert answer == ("ACCESS_DENIED", "Permission to perform the operation is denied")


def test_users_never_change(crm: Crm) -> None:
    """The module Users always answers with empty lists."""
    answer = sync(crm, 5, elementType="Users")
    assert answer == {"updated": [], "deleted": [], "more": False, "lastModifiedTime": 5}


def test_a_module_without_owner_has_one_scope(crm: Crm) -> None:
    """Price books have no owner: every scope tells of them."""
    crm.create("PriceBooks", bookname="b", currency_id="21x1")
    assert len(sync(crm, elementType="PriceBooks", syncType="user")["updated"]) == 1


@on_the_cloud
def test_private_records_are_dropped_and_sensitive_fields_masked(crm: Crm) -> None:
    """What the caller may not read is missing from `updated`; masks hold here, too."""
    crm.create("Contacts", lastname="x", cf_865="P1")
    (record,) = sync(crm, elementType="Contacts")["updated"]
    assert record["cf_865"] == "********"
    crm.create("Contacts", lastname="y", assigned_user_id="20x2")
    crm.create("Contacts", lastname="z", assigned_user_id="19x6")
    assert (
        len(sync(crm, 1, "sales", elementType="Contacts", syncType="userandgroup")["updated"]) == 1
    )


def test_the_seed_comes_in_order_and_whole(profile: str) -> None:
    """Following the pages of the standard contacts meets each of them once."""
    crm = Crm(records=None, profile=profile)
    since, seen = 1, []
    while True:
        answer = sync(crm, since, elementType="Contacts")
        seen += [record["id"] for record in answer["updated"]]
        if not answer["more"]:
            break
        since = answer["lastModifiedTime"]
    assert len(seen) == len(set(seen)) == 400
    assert 0 < len(sync(crm, 1, elementType="Contacts", syncType="user")["updated"]) <= 110
