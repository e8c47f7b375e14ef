"""Converting leads: what is filled in and checked, what a failure leaves, and the way on."""

from __future__ import annotations

import pickle
from datetime import date
from typing import Any

import pytest
from over_http import calls, plant

from vtiger_async import (
    AccessDeniedError,
    ApiError,
    ConversionError,
    DuplicateRecordError,
    InvalidArgumentError,
    InvalidIdError,
    LeadAlreadyConvertedError,
    MandatoryFieldError,
    OutcomeUnknownError,
    RecordId,
    ValidationError,
    VtigerClient,
)
from vtiger_async.models.metadata import Field, FieldType, Module, PicklistValue
from vtiger_async.models.parts import first_stage, part_problems
from vtiger_async.models.validation import Known
from vtiger_async.sandbox import ManualClock, Sandbox
from vtiger_async.sandbox.profiles import PROFILES

pytestmark = pytest.mark.anyio

CLOSING = {"closingdate": date(2027, 1, 31)}
both_profiles = pytest.mark.parametrize("profile", PROFILES)


def lead_of(sandbox: Sandbox, name: str = "Ada", **fields: Any) -> RecordId:
    """A lead whose company is named after it."""
    return plant(sandbox, "Leads", lastname=name, **{"company": f"{name} Ltd", **fields})


async def half_done(crm: VtigerClient, lead: RecordId) -> ConversionError:
    """Convert a lead so that the deal fails, after the organisation and the contact were made."""
    blind = crm.with_options(validate=False)
    with pytest.raises(ConversionError) as caught:
        await blind.convert_lead(lead, account=True, contact={"title": "Ms"}, potential=True)
    return caught.value


@both_profiles
@pytest.mark.parametrize("validate", ["auto", True, False])
async def test_the_stage_that_the_manual_forgets_is_filled_in(profile: Any, validate: Any) -> None:
    """A deal gets the first stage of its picklist, with any setting of `validate`."""
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client(validate=validate) as crm:
            lead = lead_of(sandbox)
            made = await crm.convert_lead(lead, account=True, contact=True, potential=CLOSING)
            account, contact, deal = [await crm.retrieve(rid) for rid in made.values()]
            assert list(made) == ["Accounts", "Contacts", "Potentials"]
            assert deal["sales_stage"] == "Prospecting"
            assert (contact["account_id"], deal["related_to"]) == (account.id, account.id)
            given = {**CLOSING, "sales_stage": "Qualification"}
            blind = crm.with_options(validate=False)
            before = calls(sandbox)
            made = await blind.convert_lead(lead_of(sandbox, "Bob"), contact=True, potential=given)
            assert calls(sandbox) == before + 1
            assert (await crm.retrieve(made["Potentials"]))["sales_stage"] == "Qualification"


@both_profiles
async def test_both_forms_of_asking_are_the_same(profile: Any) -> None:
    """Parts by module, parts by name, and both; False takes a part away."""
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client() as crm:
            asked = {"Accounts": {}, "Contacts": {"title": "Ms"}}
            made = await crm.convert_lead(lead_of(sandbox), asked, account=False)
            assert made.keys() == {"Contacts"}
            assert (await crm.retrieve(made["Contacts"]))["title"] == "Ms"
            made = await crm.convert_lead(lead_of(sandbox, "Bob"), asked, contact={"fax": "1"})
            contact = await crm.retrieve(made["Contacts"])
            assert (contact["title"], contact["fax"]) == ("Ms", "1")


@both_profiles
async def test_an_organisation_alone_is_converted_in_truth(profile: Any) -> None:
    """The lead's belongings are given to it, without which the open source takes it back."""
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client() as crm:
            lead = lead_of(sandbox)
            made = await crm.convert_lead(lead, account=True)
            assert (await crm.retrieve(made["Accounts"]))["accountname"] == "Ada Ltd"
            with pytest.raises(LeadAlreadyConvertedError):
                await crm.convert_lead(lead, contact=True)


async def test_the_open_source_takes_an_organisation_that_exists() -> None:
    """A name that is given is that of the organisation to take."""
    with Sandbox(profile="oss-8.4", limits=False) as sandbox:
        async with sandbox.client(validate=True) as crm:
            there = plant(sandbox, "Accounts", accountname="Acme")
            named = {"accountname": "Acme"}
            made = await crm.convert_lead(lead_of(sandbox), account=named, contact=True)
            assert made["Accounts"] == there
            alone = await crm.convert_lead(lead_of(sandbox, "Bob"), account=named)
            assert alone == {"Accounts": there}
            assert (await crm.retrieve(there))["accountname"] == "Acme"


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"potential": CLOSING}, "a deal alone is not made of a lead"),
        ({"account": False}, "say what is made of the lead"),
        ({"entities": {"Contacts": {}}, "contact": False}, "say what is made of the lead"),
        ({"entities": {"Leads": {}}}, "Potentials; not Leads"),
    ],
)
async def test_what_cannot_be_asked_is_refused(parts: Any, text: str) -> None:
    """Nothing, another module, and a deal alone are refused before a call is spent."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            with pytest.raises(InvalidArgumentError, match=text):
                await crm.convert_lead("2x1", **parts)
            assert calls(sandbox) == 0


@both_profiles
async def test_what_would_fail_half_way_is_found_before(profile: Any) -> None:
    """A missing date, a stage outside of the list, an unknown field: all at once, and no call."""
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client() as crm:
            lead = lead_of(sandbox)
            for module in ("Accounts", "Contacts", "Potentials"):
                await crm.describe(module)
            before = calls(sandbox)
            with pytest.raises(ValidationError) as caught:
                await crm.convert_lead(
                    lead,
                    account={"nme": "x"},
                    contact={"email": "none"},
                    potential={"sales_stage": "Bogus"},
                )
            fields = {problem.field for problem in caught.value.problems}
            assert fields == {
                "Accounts.nme",
                "Contacts.email",
                "Potentials.sales_stage",
                "Potentials.closingdate",
            }
            assert calls(sandbox) == before


@both_profiles
async def test_with_true_the_lead_itself_is_asked(profile: Any) -> None:
    """A company that it lacks, a name that exists, and a lead that is converted or none."""
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client(validate=True) as crm:
            nameless = lead_of(sandbox, company="")
            with pytest.raises(ValidationError, match=r"Accounts\.accountname: the lead has no co"):
                await crm.convert_lead(nameless, account=True, contact=True)
            there = plant(sandbox, "Accounts", accountname="Bob Ltd")
            bob = lead_of(sandbox, "Bob")
            with pytest.raises(ValidationError, match=f"{there} has this name"):
                await crm.convert_lead(bob, account=True, contact=True)
            await crm.convert_lead(bob, account={"accountname": "Bob & Co"}, contact=True)
            before = sandbox.ledger()["calls"]["convertlead"]
            with pytest.raises(LeadAlreadyConvertedError):
                await crm.convert_lead(bob, contact=True)
            with pytest.raises(AccessDeniedError):
                await crm.convert_lead(f"{bob.prefix}x99999", contact=True)
            with pytest.raises(InvalidIdError, match="is no lead, but of"):
                await crm.convert_lead(there, contact=True)
            assert sandbox.ledger()["calls"]["convertlead"] == before


async def test_a_record_of_another_module_is_no_lead() -> None:
    """The open source would convert it; where its module is known, it is refused."""
    with Sandbox(profile="oss-8.4", limits=False) as sandbox:
        async with sandbox.client() as crm:
            await crm.describe("Contacts")
            with pytest.raises(InvalidIdError, match="is no lead, but of Contacts"):
                await crm.convert_lead(plant(sandbox, "Contacts", lastname="x"), account=True)


async def test_what_a_failure_left_behind_is_told() -> None:
    """The organisation and the contact are named; the lead's other namesakes are not."""
    with Sandbox(profile="oss-8.4", limits=False) as sandbox:
        async with sandbox.client() as crm:
            plant(sandbox, "Contacts", lastname="Ada")
            plant(sandbox, "Accounts", accountname="Ada Ltd & Sons")
            lead = lead_of(sandbox)
            error = await half_done(crm, lead)
            assert error.left_behind.keys() == {"Accounts", "Contacts"}
            contact = await crm.retrieve(error.left_behind["Contacts"])
            assert contact["account_id"] == error.left_behind["Accounts"]
            assert isinstance(error.failure, MandatoryFieldError)
            assert error.__cause__ is error.failure
            assert isinstance(error, ApiError)
            assert (error.record_id, error.code) == (lead, "UNKNOWN_OPERATION")
            assert "left behind: Accounts" in str(error)
            again = pickle.loads(pickle.dumps(error))
            assert (again.left_behind, again.entities) == (error.left_behind, error.entities)


@pytest.mark.parametrize("validate", ["auto", True, False])
async def test_it_goes_on_from_there(validate: Any) -> None:
    """What was left behind is taken back, and what was asked then is asked again."""
    with Sandbox(profile="oss-8.4", limits=False) as sandbox:
        async with sandbox.client(validate=validate) as crm:
            lead = lead_of(sandbox)
            error = await half_done(crm, lead)
            made = await crm.convert_lead(lead, resume=error, potential=CLOSING)
            assert made.keys() == {"Accounts", "Contacts", "Potentials"}
            assert (await crm.retrieve(made["Contacts"]))["title"] == "Ms"
            named = "select id from Accounts where accountname = 'Ada Ltd';"
            assert [row.id for row in await crm.query(named).all()] == [made["Accounts"]]
            with pytest.raises(LeadAlreadyConvertedError):
                await crm.convert_lead(lead, resume=error)
            with pytest.raises(InvalidArgumentError, match="is of the lead"):
                await crm.convert_lead("2x1", resume=error)


async def test_what_was_taken_back_by_hand_is_no_hindrance() -> None:
    """Records that are gone already need not be deleted."""
    with Sandbox(profile="oss-8.4", limits=False) as sandbox:
        async with sandbox.client() as crm:
            lead = lead_of(sandbox)
            error = await half_done(crm, lead)
            for record_id in error.left_behind.values():
                await crm.delete(record_id)
            made = await crm.convert_lead(lead, resume=error, potential=False)
            assert made.keys() == {"Accounts", "Contacts"}


@pytest.mark.parametrize("use", ["changed", "contact", "deal"])
async def test_what_somebody_uses_is_not_taken_back(use: str) -> None:
    """A record that was changed, or that others refer to, is left, and nothing is deleted."""
    clock = ManualClock()
    with Sandbox(profile="oss-8.4", limits=False, clock=clock) as sandbox:
        async with sandbox.client() as crm:
            lead = lead_of(sandbox)
            error = await half_done(crm, lead)
            left = error.left_behind
            if use == "changed":
                clock.advance(1)
                await crm.revise(left["Contacts"], {"title": "Dr"})
            elif use == "contact":
                plant(sandbox, "Contacts", lastname="New", account_id=left["Accounts"])
            else:
                deal = {"sales_stage": "Prospecting", "closingdate": "2027-01-01"}
                deal |= {"potentialname": "P", "contact_id": left["Contacts"]}
                plant(sandbox, "Potentials", **deal)
            with pytest.raises(InvalidArgumentError, match="has been changed or used"):
                await crm.convert_lead(lead, resume=error, potential=CLOSING)
            for record_id in left.values():
                await crm.retrieve(record_id)


async def test_a_duplicate_has_made_nothing() -> None:
    """The organisation comes first, so that a duplicate leaves nothing; no call looks for it."""
    with Sandbox(profile="oss-8.4", limits=False) as sandbox:
        async with sandbox.client() as crm:
            plant(sandbox, "Accounts", accountname="Ada Ltd")
            lead = lead_of(sandbox)
            before = calls(sandbox)
            with pytest.raises(DuplicateRecordError, match="maybe from an earlier try"):
                await crm.convert_lead(lead, account=True, contact=True)
            assert calls(sandbox) == before + 1


async def test_a_failure_that_leaves_nothing_is_itself() -> None:
    """Where all is undone, as in the Cloud's profile, the server's own error is raised."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client(validate=False) as crm:
            with pytest.raises(MandatoryFieldError) as caught:
                await crm.convert_lead(lead_of(sandbox), account=True, contact=True, potential=True)
            assert caught.value.field == "closingdate"


@both_profiles
@pytest.mark.parametrize("asked", ["account", "contact", "potential"])
async def test_a_lost_reply_is_settled(profile: Any, asked: str) -> None:
    """The lead tells whether it was converted; then the ids are found, as if nothing had been."""
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client() as crm:
            parts = {
                "account": asked != "contact",
                "contact": asked != "account",
                "potential": asked == "potential" and {**CLOSING, "potentialname": "P"},
            }
            sandbox.faults.add("commit_then_drop", operation="convertlead", times=1)
            made = await crm.convert_lead(lead_of(sandbox), **parts)
            assert len(made) == sum(map(bool, parts.values()))
            for record_id in made.values():
                assert (await crm.retrieve(record_id))["isconvertedfromlead"] == "1"


@both_profiles
async def test_a_lost_call_is_settled(profile: Any) -> None:
    """Where the lead is not converted, and nothing was made, the outcome stays unknown."""
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client() as crm:
            lead = lead_of(sandbox)
            sandbox.faults.add("reset_before_commit", operation="convertlead", times=1)
            with pytest.raises(OutcomeUnknownError):
                await crm.convert_lead(lead, account=True, contact=True)
            assert (await crm.convert_lead(lead, account=True, contact=True)).keys()


async def test_what_cannot_be_found_is_said() -> None:
    """A converted lead whose contact was changed meanwhile; and a server that answers no more."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            sandbox.faults.add("commit_then_drop", operation="convertlead", times=1)
            sandbox.faults.add("html", operation="query", times=1, status=403)
            with pytest.raises(OutcomeUnknownError, match="could not be looked up"):
                await crm.convert_lead(lead_of(sandbox), contact=True)
            sandbox.faults.add("commit_then_drop", operation="convertlead", times=1)
            with pytest.raises(OutcomeUnknownError, match="not all that came of it was found"):
                await crm.convert_lead(lead_of(sandbox), contact=True)


async def test_who_does_not_see_deals_converts_all_the_same() -> None:
    """Where the description is refused, nothing is filled in, and the server decides."""
    with Sandbox(profile="oss-8.4", limits=False) as sandbox:
        async with sandbox.client() as crm:
            sandbox.faults.add("html", operation="describe", times=1, status=403)
            with pytest.raises(ConversionError, match="sales_stage does not have a value"):
                await crm.convert_lead(lead_of(sandbox), account=True, potential=CLOSING)


async def test_a_failure_at_the_contact_leaves_the_organisation() -> None:
    """The server names the part that failed; only those before it are looked for."""
    with Sandbox(profile="oss-8.4", limits=False) as sandbox:
        async with sandbox.client(validate=False) as crm:
            lead = lead_of(sandbox)
            bad = {"birthday": "quite soon"}
            with pytest.raises(ConversionError) as caught:
                await crm.convert_lead(lead, account=True, contact=bad)
            assert caught.value.left_behind.keys() == {"Accounts"}
            made = await crm.convert_lead(lead, resume=caught.value, contact={"birthday": None})
            assert made.keys() == {"Accounts", "Contacts"}


async def test_an_operation_that_a_server_lacks_is_told() -> None:
    """A 404 says that nothing was made, and nothing is looked for."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            sandbox.faults.add("html", operation="convertlead", times=1, status=404)
            before = calls(sandbox)
            with pytest.raises(ApiError):
                await crm.convert_lead(lead_of(sandbox), account=True, contact=True)
            assert calls(sandbox) == before + 1


def test_the_first_stage_is_the_default() -> None:
    """The field's default, the picklist's, or its first value; a module without has none."""

    def deals(**options: Any) -> Module:
        default = options.pop("default", None)
        values = (PicklistValue("One"), PicklistValue("Two"))
        kind = FieldType("picklist", picklist_values=values, **options)
        stage = Field("sales_stage", "Stage", kind, default=default)
        return Module("Potentials", "Deals", "13", {"sales_stage": stage})

    assert first_stage(deals()) == "One"
    assert first_stage(deals(default="Two")) == "Two"
    assert first_stage(Module("Potentials", "Deals", "13", {})) is None
    bare = Field("sales_stage", "Stage", FieldType("picklist"))
    assert first_stage(Module("Potentials", "Deals", "13", {"sales_stage": bare})) is None


def test_a_mandatory_picklist_that_the_lead_fills_is_fine() -> None:
    """Fields that leads have, too, are filled by the lead, unless it is known to lack them."""
    industry = Field("industry", "Industry", FieldType("picklist"), mandatory=True)
    module = Module("Accounts", "A", "11", {"industry": industry})
    lead = {"company": "x"}
    assert part_problems(module, {}, Known({}), None) == []
    assert part_problems(module, {}, Known({}), {**lead, "industry": "Banking"}) == []
    (problem,) = part_problems(module, {}, Known({}), lead)
    assert problem.field == "Accounts.industry"
    assert part_problems(module, {"industry": "Banking"}, Known({}), lead) == []
