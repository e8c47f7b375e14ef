"""Where the open source describes itself otherwise than the Cloud: modules, labels, fields.

Measured on Vtiger 8.4: the order is that of `listtypes`. `nullable` is no opposite of `mandatory`
there: the lists below say where it differs from what one would expect.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

__all__ = [
    "CLOUD_STAGES",
    "EXTRA_FIELDS",
    "FAR_TABLES",
    "FIELD_TRAITS",
    "MODULES",
    "NO_FIELDS",
    "OSS_LABELS",
    "ListedModule",
]


@frozen
class ListedModule:
    """One line of `listtypes`.

    Attributes:
        name: The module's name.
        label: Its label in `listtypes`.
        singular: The name of one record.
        described: Its label in `describe`, which need not be the same.
        id_label: The label of the field `id`.
        is_entity: Whether its records are entities.
    """

    name: str
    label: str
    singular: str
    described: str
    id_label: str
    is_entity: bool


_MODULES = """
Campaigns|Campaigns|Campaign||campaignid
Vendors|Vendors|Vendor||vendorid
Faq|FAQ|FAQ|Faq|id
Quotes|Quotes|Quote||quoteid
PurchaseOrder|Purchase Orders|Purchase Order|Purchase Order|purchaseorderid
SalesOrder|Sales Orders|Sales Order|Sales Order|salesorderid
Invoice|Invoices|Invoice|Invoice|invoiceid
PriceBooks|Price Books|Price Book||pricebookid
Calendar|Calendar|Task||activityid
Leads|Leads|Lead||leadid
Accounts|Organizations|Organization||accountid
Contacts|Contacts|Contact||contactid
Potentials|Opportunities|Opportunity||potentialid
Products|Products|Product||productid
Documents|Documents|Document||notesid
Emails|Emails|Email||activityid
HelpDesk|Tickets|Ticket||ticketid
Events|Events|Event||activityid
Users|Users|User||id
PBXManager|PBX Manager|Call Record|PBXManager|pbxmanagerid
ServiceContracts|Service Contracts|Service Contract||servicecontractsid
Services|Services|Service||serviceid
ProjectMilestone|Project Milestones|Project Milestone||projectmilestoneid
ProjectTask|Project Tasks|Project Task||projecttaskid
Project|Projects|Project||projectid
ModComments|Comments|Comment||modcommentsid
SMSNotifier|SMS Notifier|SMS Notifier||smsnotifierid
Assets|Assets|Asset||assetsid
Groups|Groups|Groups||groupid|plain
Currency|Currency|Currency||id|plain
DocumentFolders|DocumentFolders|DocumentFolders||folderid|plain
CompanyDetails|CompanyDetails|CompanyDetails||organization id|plain
LineItem|LineItem|LineItem||lineitem id|plain
Tax|Tax|Tax||taxid|plain
ProductTaxes|ProductTaxes|ProductTaxes|||plain
"""


def _listed(line: str) -> ListedModule:
    name, label, singular, described, id_label, *plain = line.split("|")
    return ListedModule(name, label, singular, described or label, id_label, not plain)


MODULES = {module.name: module for module in map(_listed, _MODULES.strip().splitlines())}
"""The modules of the open source, by name and in its order; some have no records here."""

NO_FIELDS = frozenset({("LineItem", "description"), ("HelpDesk", "update_log")})
"""Fields that are stored and not described."""

CLOUD_STAGES = frozenset({"Renewal Due", "Renewal Agreed"})
"""The stages of a deal that a fresh open source does not have."""

_LABELS = """
sales_stage: Id. Decision Makers=Identify Decision Makers
hdnTaxType: individual=Individual|group=Group
SalesOrder.invoicestatus: AutoCreated=Auto Created
recurringtype: Daily=Day(s)|Weekly=Week(s)|Monthly=Month(s)|Yearly=Year
projectstatus: prospecting=Prospecting|initiated=Initiated|in progress=In Progress\
|waiting for feedback=Waiting for Feedback|on hold=On Hold|completed=Completed\
|delivered=Delivered|archived=Archived
projecttype: administrative=Administrative|operative=Operative|other=Other
projecttasktype: administrative=Administrative|operative=Operative|other=Other
projectmilestonetype: administrative=Administrative|operative=Operative|other=Other
calendarsharedtype: public=shared
defaultcalendarview: ListView=List View|MyCalendar=My Calendar|SharedCalendar=Shared Calendar
campaigntype: Email=Primary Email
projectpriority: low=Low|normal=Normal|high=High
projecttaskpriority: low=Low|normal=Normal|high=High
"""

OSS_LABELS = {
    (name, pair.partition("=")[0]): pair.partition("=")[2]
    for name, _, pairs in (line.partition(": ") for line in _LABELS.strip().splitlines())
    for pair in pairs.split("|")
}
"""The picklist values that are shown under another name, by field and value."""

_NULLABLE = """
Potentials closingdate sales_stage
Products productname
Invoice subject account_id bill_street ship_street productid
Quotes subject quotestage account_id bill_street ship_street productid
SalesOrder subject sostatus account_id bill_street ship_street invoicestatus productid
Calendar subject time_start due_date taskstatus
Events subject time_start due_date time_end duration_hours eventstatus
Emails subject
Project projectname
ProjectTask projecttaskname projectid
Assets serialnumber datesold dateinservice assetstatus assetname account
PriceBooks bookname
Faq faq_answer
LineItem productid quantity
Campaigns campaignname closingdate
HelpDesk ticketpriorities ticketstatus
ModComments commentcontent related_to
PBXManager customernumber
ProjectMilestone projectmilestonename projectid
PurchaseOrder subject vendor_id postatus bill_street ship_street productid
SMSNotifier message
ServiceContracts subject
Services servicename
Users user_name user_password confirm_password last_name email1
Vendors vendorname
"""
_NOT_NULLABLE = """
Contacts contact_no
Accounts account_no
Leads lead_no company
Potentials potential_no
Products product_no discontinued
Invoice currency_id conversion_rate
Quotes currency_id conversion_rate
SalesOrder currency_id conversion_rate
Calendar parent_id contact_id sendnotification activitytype visibility reminder_time notime
Events parent_id sendnotification notime visibility reminder_time contact_id
Documents filesize folderid note_no
Emails activitytype filename ccmail bccmail parent_id email_flag click_count
Project isconvertedfrompotential
Assets asset_no
PriceBooks pricebook_no
Faq faq_no faqcategories
Currency defaultid deleted
LineItem incrementondel
DocumentFolders createdby
Campaigns campaign_no
HelpDesk ticket_no
ModComments creator
PBXManager CreatedTime ModifiedTime
PurchaseOrder currency_id conversion_rate
Services service_no discontinued assigned_user_id
Users roleid currency_id internal_mailer
Vendors vendor_no
"""
_OTHER: dict[str, dict[str, dict[str, Any]]] = {
    "Contacts": {"isconvertedfromlead": {"default": "no"}},
    "Accounts": {"isconvertedfromlead": {"default": "no"}},
    "Potentials": {
        "isconvertedfromlead": {"default": "no"},
        "potentialname": {"label": "Opportunity Name"},
        "potential_no": {"label": "Opportunity Number"},
    },
    "Documents": {
        name: {"default": None}
        for name in ("filetype", "filesize", "filelocationtype", "fileversion", "filedownloadcount")
    },
    "Emails": {"access_count": {"default": "0"}, "click_count": {"default": "0"}},
    "Currency": {name: {"default": "0", "mandatory": True} for name in ("defaultid", "deleted")},
    "LineItem": {"incrementondel": {"default": "0", "type": {"name": "autogenerated"}}},
    "HelpDesk": {"from_portal": {"editable": True}},
    "ModComments": {"userid": {"editable": True}},
    "PurchaseOrder": {
        "listprice": {"label": "List Price"},
        "discount_percent": {"type": {"name": "string"}},
    },
    "Users": {"roleid": {"type": {"name": "reference", "refersTo": []}}},
    "Tax": {"deleted": {"editable": True}},
    "DocumentFolders": {
        "createdby": {
            "editable": True,
            "mandatory": True,
            "type": {"name": "reference", "refersTo": []},
        }
    },
    "Calendar": {"duration_hours": {"type": {"name": "time"}}},
    "Project": {"potentialid": {"label": "Opportunity Name"}},
}
for _name in ("Invoice", "Quotes", "SalesOrder"):
    _OTHER[_name] = {
        "potential_id": {"label": "Opportunity Name"},
        "discount_percent": {"type": {"name": "string"}},
    }


def _traits() -> dict[tuple[str, str], dict[str, Any]]:
    traits: dict[tuple[str, str], dict[str, Any]] = {}
    for text, nullable in ((_NULLABLE, True), (_NOT_NULLABLE, False)):
        for line in text.strip().splitlines():
            module, *names = line.split()
            traits |= {(module, name): {"nullable": nullable} for name in names}
    for module, fields in _OTHER.items():
        for name, said in fields.items():
            traits[module, name] = traits.get((module, name), {}) | said
    return traits


FIELD_TRAITS = _traits()
"""What the open source says of a field and the general rule does not, by module and field."""

_FAR = """
Accounts bill_street bill_city bill_state bill_code bill_country bill_pobox
Accounts ship_street ship_city ship_state ship_code ship_country ship_pobox
Contacts mailingstreet mailingcity mailingstate mailingzip mailingcountry mailingpobox otherstreet\
 othercity otherstate otherzip othercountry otherpobox
Contacts birthday assistant homephone assistantphone leadsource otherphone
Contacts portal support_start_date support_end_date
Leads lane city state code country pobox phone mobile fax
Leads website
HelpDesk from_portal
Calendar reminder_time
Calendar contact_id
Calendar parent_id
Events reminder_time
Events contact_id
Events parent_id
"""


def _far_tables() -> dict[str, tuple[frozenset[str], ...]]:
    tables: dict[str, tuple[frozenset[str], ...]] = {}
    lines = [line.split() for line in _FAR.strip().splitlines()]
    for module in ("Invoice", "Quotes", "SalesOrder", "PurchaseOrder"):
        lines += [[module, *lines[0][1:]], [module, *lines[1][1:]]]
    for module, *names in lines:
        tables[module] = (*tables.get(module, ()), frozenset(names))
    return {name: (*tables.get(name, ()), frozenset({"starred"})) for name in MODULES}


FAR_TABLES = _far_tables()
"""Fields that are kept in tables of their own, by module: a statement may not read these."""

_TAXES = (("VAT", "4.500"), ("Sales", "10.000"), ("Service", "12.500"))


def _extra(name: str, label: str, kind: str, **said: Any) -> dict[str, Any]:
    field = {"name": name, "label": label, "mandatory": False, "type": {"name": kind}}
    return field | {"nullable": True, "editable": True} | said


_ON_PRODUCTS = [
    _extra(f"tax{n}", label, "double", default=rate, mandatory="", nullable="1", editable="1")
    for n, (label, rate) in enumerate(_TAXES, 1)
]
_CURRENCY = _extra(
    "currency1", "USA, Dollars USD", "double", default="", mandatory="", nullable="1", editable="1"
)
_ON_DOCUMENTS = [
    _extra("shipping_&_handling", "Shipping &amp; Handling", "double", default="0.00000"),
    *(
        _extra(f"shipping_&_handling_shtax{n}", f"Shipping &amp; Handling {label}", "double",
               default=rate)
        for n, (label, rate) in enumerate(_TAXES, 1)
    ),
]  # fmt: skip

EXTRA_FIELDS: dict[str, list[dict[str, Any]]] = {
    **{name: [*_ON_PRODUCTS, _CURRENCY] for name in ("Products", "Services")},
    "Invoice": _ON_DOCUMENTS,
    "Quotes": _ON_DOCUMENTS,
    "SalesOrder": _ON_DOCUMENTS,
    "PurchaseOrder": _ON_DOCUMENTS,
}
"""Fields that are described and hold nothing of their own: taxes and charges."""
