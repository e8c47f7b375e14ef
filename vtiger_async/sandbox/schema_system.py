"""Users, groups, currencies and the other small modules, and the blocks that modules share.

Names, types, labels and order are those measured on Vtiger 8.4 (see schema.py for the form).
"""

from __future__ import annotations

__all__ = ["BLOCKS", "SYSTEM"]

SYSTEM = """
[Users] 19 | Users | User | first_name,last_name | | given
user_name string(255)! : User Name
is_admin boolean : Admin
user_password password! secret : Password
confirm_password password! secret : Confirm Password
first_name string(30) : First Name
last_name string(30)! : Last Name
roleid string(100)! : Role
email1 email! : Primary Email
status string(25) default=Active : Status
activity_view picklist : Default MyCalendar View
lead_view picklist : Default Lead View
hour_format picklist default=12 : Calendar Hour Format
end_hour string : Day ends at
start_hour picklist : Day starts at
is_owner string default=0 : Account Owner
title string(50) : Title
phone_work phone(50) : Office Phone
department string(50) : Department
phone_mobile phone(50) : Mobile Phone
reports_to_id reference to=Users : Reports To
phone_other phone : Secondary Phone
email2 email : Other Email
phone_fax phone : Fax
secondaryemail email : Secondary Email
phone_home phone : Home Phone
date_format picklist : Date Format
signature text : Signature
description text : Documents
address_street text : Street Address
address_city string : City
address_state string : State
address_postalcode string : Postal Code
address_country string : Country
accesskey string(36) ro secret : Access Key
time_zone picklist(200) : Time Zone
currency_id reference to=Currency : Currency
currency_grouping_pattern picklist : Digit Grouping Pattern
currency_decimal_separator picklist default=. : Decimal Separator
currency_grouping_separator picklist default=, : Digit Grouping Separator
currency_symbol_placement picklist : Symbol Placement
imagename string : User Image
internal_mailer boolean : Internal Mail Composer
theme string default=softed : Theme
language string(36) default=en_us : Language
reminder_interval picklist : Popup Reminder Interval
phone_crm_extension phone : CRM Phone Extension
no_of_currency_decimals picklist default=2 : Number Of Currency Decimals
truncate_trailing_zeros boolean default=0 : Truncate Trailing Zeros
dayoftheweek picklist default=Monday : Starting Day of the week
callduration picklist default=5 : Default Call Duration (Mins)
othereventduration picklist default=5 : Other Event Duration (Mins)
calendarsharedtype picklist default=Public : Calendar Shared Type
default_record_view picklist default=Summary : Default Record View
leftpanelhide boolean default=0 : Left Panel Hide
rowheight picklist default=medium : Row Height
defaulteventstatus picklist default=Planned : Default Event Status
defaultactivitytype picklist default=Call : Default Activity Type
hidecompletedevents boolean default=0 : Hide Completed Calendar Events
defaultcalendarview picklist default=MyCalendar : Default Calendar View
defaultlandingpage string default=Home : Default Landing Page
userlabel string : User Label

[Groups] 20 | Groups | Groups | groupname | | plain
groupname string(100) : groupname
description text : description

[Currency] 21 | Currency | Currency | currency_name | | plain
currency_name string(100) : currency name
currency_code string(100) : currency code
currency_symbol string(30) : currency symbol
conversion_rate double(5) : conversion rate
currency_status string(25) : currency status
defaultid string(10) : defaultid
deleted integer : deleted

[DocumentFolders] 22 | DocumentFolders | DocumentFolders | foldername | | plain create
foldername string(200)! : foldername
description string(250) : description
createdby reference ro to=Users : createdby
sequence integer : sequence

[CompanyDetails] 26 | CompanyDetails | CompanyDetails | organizationname | | plain
organizationname string(60) : organizationname
address string(150) : address
city string : city
state string : state
country string : country
code string(30) : code
phone phone : phone
fax phone : fax
website url : website
logoname file : logoname
logo text : logo
vatid string : vatid

[LineItem] 33 | LineItem | LineItem | | | plain
parent_id reference to=Invoice,Quotes,PurchaseOrder,SalesOrder : parent id
productid reference! to=Products,Services : productid
sequence_no integer : sequence no
quantity double(3)! : quantity
listprice double(8) : listprice
discount_percent double(3) : discount percent
discount_amount double(8) : discount amount
comment text : comment
description text : description
incrementondel integer ro : incrementondel
tax1 double(3) : VAT
tax2 double(3) : Sales
tax3 double(3) : Service
image string : image
purchase_cost double(8) : purchase cost
margin double(8) : margin

[Tax] 34 | Tax | Tax | taxlabel | | plain
taxname string ro : taxname
taxlabel string ro : taxlabel
percentage double(3) ro : percentage
deleted integer ro : deleted
method string ro : method
type string ro : type
compoundon string ro : compoundon
regions text ro : regions

[PBXManager] 24 | PBX Manager | Call Record | customernumber |
direction string(10) : Direction
callstatus string(20) : Call Status
starttime datetime ro : Start Time
endtime datetime ro : End Time
totalduration integer : Duration (sec)
billduration integer : Bill Duration (sec)
recordingurl url(200) : Recording
sourceuuid string(100) : Source UUID
gateway string(20) : Gateway
customer reference to=Leads,Contacts,Accounts : Customer
user reference to=Users : User
customernumber phone(100)! : Customer Number
customertype string(100) : Customer Type
assigned_user_id owner! : Assigned To
CreatedTime datetime ro : Created Time
ModifiedTime datetime ro : Modified Time
source string ro : Source

[SMSNotifier] 32 | SMS Notifier | SMS Notifier | message |
assigned_user_id owner! : Assigned To
createdtime datetime ro : Created Time
modifiedtime datetime ro : Modified Time
message text! : Message
modifiedby reference ro to=Users : Last Modified By
source string ro : Source

[ProductTaxes] 35 | ProductTaxes | ProductTaxes | | | plain
productid reference! to=Products : productid
taxid reference! to=Tax : taxid
taxpercentage double(3) : taxpercentage
regions text : regions
"""
"""The modules of the system."""

BLOCKS = {
    "system": """
createdtime datetime ro : Created Time
modifiedtime datetime ro : Modified Time
modifiedby reference ro to=Users : Last Modified By
source string ro : Source
starred boolean ro : starred
tags string ro : tags
""",
    "times": """
createdtime datetime ro : Created Time
modifiedtime datetime ro : Modified Time
modifiedby reference ro to=Users : Last Modified By
""",
    "marks": """
source string ro : Source
starred boolean ro : starred
tags string ro : tags
""",
    "addresses": """
bill_street text(250) : Billing Address
ship_street text(250) : Shipping Address
bill_city string(30) : Billing City
ship_city string(30) : Shipping City
bill_state string(30) : Billing State
ship_state string(30) : Shipping State
bill_code string(30) : Billing Postal Code
ship_code string(30) : Shipping Postal Code
bill_country string(30) : Billing Country
ship_country string(30) : Shipping Country
bill_pobox string(30) : Billing PO Box
ship_pobox string(30) : Shipping PO Box
""",
    "amounts": """
txtAdjustment currency : Adjustment
salescommission double(3) : Sales Commission
exciseduty double(3) : Excise Duty
""",
    "total": """
hdnTaxType picklist null : Tax Type
hdnDiscountPercent double(3) null : Discount Percent
hdnDiscountAmount currency null : Discount Amount
hdnS_H_Amount currency : Charges
""",
    "money": """
currency_id reference to=Currency default=1 : Currency
conversion_rate double(3) default=1 : Conversion Rate
""",
    "sites": """
bill_street text(250)! : Billing Address
ship_street text(250)! : Shipping Address
bill_city string(30) : Billing City
ship_city string(30) : Shipping City
bill_state string(30) : Billing State
ship_state string(30) : Shipping State
bill_code string(30) : Billing Postal Code
ship_code string(30) : Shipping Postal Code
bill_country string(30) : Billing Country
ship_country string(30) : Shipping Country
bill_pobox string(30) : Billing PO Box
ship_pobox string(30) : Shipping PO Box
description text : Description
terms_conditions text : Terms & Conditions
""",
    "lines": """
productid reference! line to=Products,Services : Item Name
quantity double(3) line : Quantity
listprice currency line : Selling Price
comment text line : Item Comment
discount_amount currency line : Item Discount Amount
discount_percent double(3) line : Item Discount Percent
tax1 string line : VAT
tax2 string line : Sales
tax3 string line : Service
image string line quiet : image
purchase_cost currency line quiet : purchase cost
margin currency line quiet : margin
pre_tax_total currency : Pre Tax Total
""",
}
"""What modules share, by the name that follows an @."""
