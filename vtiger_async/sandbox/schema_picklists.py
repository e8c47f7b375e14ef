"""Picklist values by field name, and the picklists that depend on another.

A picklist belongs to its field's name, so that Leads, Contacts and Potentials share `leadsource`
(measured on Vtiger 8.4).
"""

from __future__ import annotations

from vtiger_async.sandbox.schema_zones import ZONES

__all__ = ["DEPENDENCIES", "LABELS", "PICKLISTS"]

_TEXT = """
industry: Apparel|Banking|Biotechnology|Chemicals|Communications|Construction|Consulting|Education\
|Electronics|Energy|Engineering|Entertainment|Environmental|Finance|Food & Beverage|Government\
|Healthcare|Hospitality|Insurance|Machinery|Manufacturing|Media|Not For Profit|Recreation|Retail\
|Shipping|Technology|Telecommunications|Transportation|Utilities|Other
leadsource: Cold Call|Existing Customer|Self Generated|Employee|Partner|Public Relations\
|Direct Mail|Conference|Trade Show|Web Site|Word of mouth|Other
leadstatus: Attempted to Contact|Cold|Contact in Future|Contacted|Hot|Junk Lead|Lost Lead\
|Not Contacted|Pre Qualified|Qualified|Warm
rating: Acquired|Active|Market Failed|Project Cancelled|Shutdown
accounttype: Analyst|Competitor|Customer|Integrator|Investor|Partner|Press|Prospect|Reseller|Other
opportunity_type: Existing Business|New Business
pipeline: Standard|Renewals|Partners
sales_stage: Prospecting|Qualification|Needs Analysis|Value Proposition|Id. Decision Makers\
|Perception Analysis|Proposal or Price Quote|Negotiation or Review|Renewal Due|Renewal Agreed\
|Closed Won|Closed Lost
campaigntype: Conference|Webinar|Trade Show|Public Relations|Partners|Referral Program\
|Advertisement|Banner Ads|Direct Mail|Email|Telemarketing|Others
campaignstatus: Planning|Active|Inactive|Completed|Cancelled
expectedresponse: Excellent|Good|Average|Poor
manufacturer: AltvetPet Inc.|LexPon Inc.|MetBeat Corp
productcategory: Hardware|Software|CRM Applications
glacct: 300-Sales-Software|301-Sales-Hardware|302-Rental-Income|303-Interest-Income\
|304-Sales-Software-Support|305-Sales Other|306-Internet Sales|307-Service-Hardware Labor\
|308-Sales-Books
usageunit: Box|Carton|Dozen|Each|Hours|Impressions|Lb|M|Pack|Pages|Pieces|Quantity|Reams|Sheet\
|Spiral Binder|Sq Ft
service_usageunit: Hours|Days|Incidents
servicecategory: Support|Installation|Migration|Customization|Training
hdnTaxType: individual|group
region_id:
quotestage: Created|Delivered|Reviewed|Accepted|Rejected
carrier: FedEx|UPS|USPS|DHL|BlueDart
postatus: Created|Approved|Delivered|Cancelled|Received Shipment
sostatus: Created|Approved|Delivered|Cancelled
invoicestatus: AutoCreated|Created|Cancel|Approved|Sent|Credit Invoice|Paid
recurring_frequency: Daily|Weekly|Monthly|Quarterly|Yearly
payment_duration: Net 01 day|Net 05 days|Net 07 days|Net 10 days|Net 15 days|Net 30 days\
|Net 45 days|Net 60 days
faqcategories: General
faqstatus: Draft|Reviewed|Published|Obsolete
taskstatus: Not Started|In Progress|Completed|Pending Input|Deferred|Planned
eventstatus: Planned|Held|Not Held
taskpriority: High|Medium|Low
activitytype: Call|Meeting|Mobile Call
visibility: Private|Public
duration_minutes: 00|15|30|45
recurringtype: Daily|Weekly|Monthly|Yearly
email_flag: SAVED|SENT|MAILSCANNER
ticketpriorities: Low|Normal|High|Urgent
ticketseverities: Minor|Major|Feature|Critical
ticketstatus: Open|In Progress|Wait For Response|Closed
ticketcategories: Big Problem|Small Problem|Other Problem
tracking_unit: Hours|Days|Incidents
contract_status: Undefined|In Planning|In Progress|On Hold|Complete|Archived
contract_priority: Low|Normal|High
contract_type: Support|Services|Administrative
assetstatus: In Service|Out-of-service
projectstatus: prospecting|initiated|in progress|waiting for feedback|on hold|completed|delivered\
|archived
projecttype: administrative|operative|other
projectpriority: low|normal|high
progress: 10%|20%|30%|40%|50%|60%|70%|80%|90%|100%
projecttasktype: administrative|operative|other
projecttaskpriority: low|normal|high
projecttaskprogress: 10%|20%|30%|40%|50%|60%|70%|80%|90%|100%
projecttaskstatus: Open|In Progress|Completed|Deferred|Canceled
date_format: dd-mm-yyyy|mm-dd-yyyy|yyyy-mm-dd|dd.mm.yyyy|dd/mm/yyyy
projectmilestonetype: administrative|operative|other
activity_view: Today|This Week|This Month|This Year|Agenda
lead_view: Today|Last 2 Days|Last Week
hour_format: 12|24
start_hour: 00:00|01:00|02:00|03:00|04:00|05:00|06:00|07:00|08:00|09:00|10:00|11:00|12:00\
|13:00|14:00|15:00|16:00|17:00|18:00|19:00|20:00|21:00|22:00|23:00
currency_grouping_pattern: 123,456,789|123456789|123456,789|12,34,56,789
currency_decimal_separator: .|,|'| |$
currency_grouping_separator: ,|.|'| |$
currency_symbol_placement: $1.0|1.0$
reminder_interval: 1 Minute|5 Minutes|15 Minutes|30 Minutes|45 Minutes|1 Hour|1 Day
no_of_currency_decimals: 0|1|2|3|4|5
dayoftheweek: Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday
callduration: 5|10|30|60|120
othereventduration: 5|10|30|60|120
calendarsharedtype: public|private|seletedusers
default_record_view: Summary|Detail
rowheight: wide|medium|narrow
defaulteventstatus: Planned|Held|Not Held
defaultactivitytype: Call|Meeting
defaultcalendarview: ListView|MyCalendar|SharedCalendar
cf_851: Cloud|Hardware|Training|Support|Café & Catering
cf_861: English|Deutsch|Français|Español|日本語|Português
cf_871: Yes|No|Unknown
"""


def _parse(text: str) -> dict[str, tuple[str, ...]]:
    lists: dict[str, tuple[str, ...]] = {}
    for line in text.strip().splitlines():
        name, _, values = line.partition(":")
        lists[name] = tuple(value for value in values.strip().split("|") if value)
    return lists


PICKLISTS = _parse(_TEXT) | {"time_zone": tuple(ZONES)}
"""The values of each picklist in their order, by field name."""

LABELS = {"Id. Decision Makers": "Identify Decision Makers"}
"""The values that are shown under another name."""

DEPENDENCIES: dict[tuple[str, str, str], dict[str, tuple[str, ...]]] = {
    ("Potentials", "pipeline", "sales_stage"): {
        "Standard": (*PICKLISTS["sales_stage"][:8], "Closed Won", "Closed Lost"),
        "Renewals": ("Renewal Due", "Renewal Agreed", "Closed Won", "Closed Lost"),
        "Partners": ("Prospecting", "Qualification", "Closed Won", "Closed Lost"),
    },
    ("HelpDesk", "ticketcategories", "ticketseverities"): {
        "Big Problem": ("Major", "Critical"),
        "Small Problem": ("Minor", "Feature"),
        "Other Problem": PICKLISTS["ticketseverities"],
    },
}
"""Which values a field may take under each value of another: (module, source, target)."""
