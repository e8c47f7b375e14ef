"""How modules are related: what `relatedtypes` tells and the related operations follow.

Labels, order and repeated types are those measured on Vtiger 8.4 for Accounts, Contacts and Leads.
One line is `Label = Module via field[,field]` where records of Module point here through a
reference, or `Label = Module` where pairs are stored.
"""

from __future__ import annotations

from attrs import frozen

__all__ = ["RELATIONS", "Relation"]

_TEXT = """
[Accounts]
Contacts = Contacts via account_id
Potentials = Potentials via related_to
Quotes = Quotes via account_id
Sales Order = SalesOrder via account_id
Invoice = Invoice via account_id
Activities = Calendar via parent_id
Emails = Emails via parent_id
Activity History = Calendar via parent_id
Documents = Documents
HelpDesk = HelpDesk via parent_id
Products = Products
Campaigns = Campaigns
PBXManager = PBXManager via customer
Service Contracts = ServiceContracts via sc_related_to
Services = Services
Projects = Project via linktoaccountscontacts
ModComments = ModComments via related_to
Assets = Assets via account
[Contacts]
Potentials = Potentials via contact_id
Activities = Calendar via contact_id
Emails = Emails via parent_id
HelpDesk = HelpDesk via contact_id
Quotes = Quotes via contact_id
Purchase Order = PurchaseOrder via contact_id
Sales Order = SalesOrder via contact_id
Products = Products
Activity History = Calendar via contact_id
Documents = Documents
Campaigns = Campaigns
Invoice = Invoice via contact_id
PBXManager = PBXManager via customer
Service Contracts = ServiceContracts via sc_related_to
Services = Services
Projects = Project via linktoaccountscontacts
ModComments = ModComments via related_to
Assets = Assets via contact
Vendors = Vendors
[Leads]
Activities = Calendar via parent_id
Emails = Emails via parent_id
Activity History = Calendar via parent_id
Documents = Documents
Products = Products
Campaigns = Campaigns
PBXManager = PBXManager via customer
Services = Services
ModComments = ModComments via related_to
[Potentials]
Activities = Calendar via parent_id
Contacts = Contacts
Products = Products
Documents = Documents
Quotes = Quotes via potential_id
Sales Order = SalesOrder via potential_id
Activity History = Calendar via parent_id
Services = Services
ModComments = ModComments via related_to
Invoice = Invoice via potential_id
Emails = Emails via parent_id
[Products]
HelpDesk = HelpDesk via product_id
Documents = Documents
Quotes = Quotes
Purchase Order = PurchaseOrder
Sales Order = SalesOrder
Invoice = Invoice
PriceBooks = PriceBooks
Leads = Leads
Accounts = Accounts
Contacts = Contacts
Potentials = Potentials
Product Bundles = Products
Parent Product = Products
Assets = Assets via product
PurchaseOrder = PurchaseOrder
[Services]
HelpDesk = HelpDesk
Quotes = Quotes
Purchase Order = PurchaseOrder
Sales Order = SalesOrder
Invoice = Invoice
PriceBooks = PriceBooks
Leads = Leads
Accounts = Accounts
Contacts = Contacts
Potentials = Potentials
Documents = Documents
[Campaigns]
Contacts = Contacts
Leads = Leads
Potentials = Potentials via campaignid
Activities = Calendar via parent_id
Accounts = Accounts
[Vendors]
Products = Products via vendor_id
Purchase Order = PurchaseOrder via vendor_id
Contacts = Contacts
Emails = Emails via parent_id
[HelpDesk]
Activities = Calendar via parent_id
Documents = Documents
Activity History = Calendar via parent_id
Service Contracts = ServiceContracts
Services = Services
Projects = Project
ModComments = ModComments via related_to
Emails = Emails via parent_id
[Documents]
Contacts = Contacts
Accounts = Accounts
Potentials = Potentials
Leads = Leads
Products = Products
Services = Services
Project = Project
Assets = Assets
ServiceContracts = ServiceContracts
Quotes = Quotes
Invoice = Invoice
SalesOrder = SalesOrder
PurchaseOrder = PurchaseOrder
HelpDesk = HelpDesk
Faq = Faq
[Project]
Project Tasks = ProjectTask via projectid
Project Milestones = ProjectMilestone via projectid
Documents = Documents
HelpDesk = HelpDesk
ModComments = ModComments via related_to
Emails = Emails via parent_id
Activities = Calendar via parent_id
Quotes = Quotes
[ProjectTask]
Documents = Documents
ModComments = ModComments via related_to
Emails = Emails via parent_id
[Quotes]
Sales Order = SalesOrder via quote_id
Activities = Calendar via parent_id
Documents = Documents
Activity History = Calendar via parent_id
ModComments = ModComments via related_to
[SalesOrder]
Activities = Calendar via parent_id
Documents = Documents
Invoice = Invoice via salesorder_id
Activity History = Calendar via parent_id
ModComments = ModComments via related_to
[Invoice]
Activities = Calendar via parent_id
Documents = Documents
Activity History = Calendar via parent_id
Assets = Assets via invoiceid
ModComments = ModComments via related_to
[PurchaseOrder]
Activities = Calendar via parent_id
Documents = Documents
Activity History = Calendar via parent_id
ModComments = ModComments via related_to
[Faq]
Documents = Documents
ModComments = ModComments via related_to
[PriceBooks]
Products = Products
Services = Services
[Calendar]
Contacts = Contacts
[Emails]
Contacts = Contacts
Documents = Documents
[ServiceContracts]
Service Requests = HelpDesk
Documents = Documents
[Assets]
HelpDesk = HelpDesk
Documents = Documents
[SMSNotifier]
Accounts = Accounts
Contacts = Contacts
Leads = Leads
"""


@frozen
class Relation:
    """One related list of a module.

    Attributes:
        number: Its number, `relation_id` on the wire.
        label: Its label, by which the operations name it.
        module: The module of the related records.
        field: The reference field of that module that points back; empty where pairs are stored.
    """

    number: int
    label: str
    module: str
    field: str


def _parse(text: str) -> dict[str, tuple[Relation, ...]]:
    found: dict[str, list[Relation]] = {}
    module = ""
    for number, line in enumerate(text.strip().splitlines(), 1):
        if line.startswith("["):
            module = line.strip("[]")
            continue
        label, _, target = line.partition(" = ")
        name, _, via = target.partition(" via ")
        found.setdefault(module, []).append(Relation(number, label, name, via))
    return {name: tuple(rows) for name, rows in found.items()}


RELATIONS = _parse(_TEXT)
"""The related lists of each module, in their order."""
