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
Services = Services
ModComments = ModComments via related_to
[Potentials]
Activities = Calendar via parent_id
Contacts = Contacts
Products = Products
Documents = Documents
Quotes = Quotes via potential_id
Sales Order = SalesOrder via potential_id
Invoice = Invoice via potential_id
Activity History = Calendar via parent_id
Services = Services
ModComments = ModComments via related_to
[Products]
HelpDesk = HelpDesk via product_id
Documents = Documents
Leads = Leads
Accounts = Accounts
Contacts = Contacts
Potentials = Potentials
Vendors = Vendors
Assets = Assets via product
Faqs = Faq via product_id
[Services]
Leads = Leads
Accounts = Accounts
Contacts = Contacts
Potentials = Potentials
Documents = Documents
[Campaigns]
Contacts = Contacts
Leads = Leads
Accounts = Accounts
Potentials = Potentials via campaignid
Activities = Calendar via parent_id
Documents = Documents
[Vendors]
Products = Products via vendor_id
Purchase Order = PurchaseOrder via vendor_id
Contacts = Contacts
Emails = Emails via parent_id
[HelpDesk]
Activities = Calendar via parent_id
Activity History = Calendar via parent_id
Documents = Documents
ModComments = ModComments via related_to
[Documents]
Accounts = Accounts
Contacts = Contacts
Leads = Leads
Potentials = Potentials
Products = Products
HelpDesk = HelpDesk
[Project]
Project Tasks = ProjectTask via projectid
Documents = Documents
ModComments = ModComments via related_to
[ProjectTask]
Documents = Documents
ModComments = ModComments via related_to
[Quotes]
Sales Order = SalesOrder via quote_id
Documents = Documents
Activities = Calendar via parent_id
[SalesOrder]
Invoice = Invoice via salesorder_id
Documents = Documents
Activities = Calendar via parent_id
[Invoice]
Documents = Documents
Activities = Calendar via parent_id
Assets = Assets via invoiceid
[PurchaseOrder]
Documents = Documents
Activities = Calendar via parent_id
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
