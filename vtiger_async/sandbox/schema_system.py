"""Users, groups, currencies and the other small modules, and the blocks that modules share.

Names, types, labels and order are those measured on Vtiger 8.4 (see schema.py for the form).
"""

from __future__ import annotations

__all__ = ["BLOCKS", "SYSTEM"]

SYSTEM = """
[Users] 19 | Users | User | first_name,last_name | | given
user_name string(255)! : User Name
is_admin boolean : Admin
first_name string(30) : First Name
last_name string(30)! : Last Name
roleid string(100)! : Role
email1 email! : Primary Email
status string(25) default=Active : Status
title string(50) : Title
phone_work phone(50) : Office Phone
department string(50) : Department
phone_mobile phone(50) : Mobile Phone
reports_to_id reference to=Users : Reports To
email2 email : Other Email
date_format picklist : Date Format
time_zone string(200) : Time Zone
currency_id reference to=Currency : Currency
language string(36) : Language
accesskey string(36) ro secret : Access Key

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
    "inventory": """
txtAdjustment currency : Adjustment
salescommission double(3) : Sales Commission
exciseduty double(3) : Excise Duty
hdnSubTotal currency : Sub Total
hdnGrandTotal currency : Total
hdnTaxType picklist : Tax Type
hdnDiscountPercent double(3) : Discount Percent
hdnDiscountAmount currency : Discount Amount
hdnS_H_Amount currency : Charges
assigned_user_id owner! : Assigned To
@system
currency_id reference to=Currency default=1 : Currency
conversion_rate double(3) default=1 : Conversion Rate
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
pre_tax_total currency : Pre Tax Total
hdnS_H_Percent double(3) : Taxes On Charges
region_id picklist : Tax Region
productid reference! line to=Products,Services : Item Name
quantity double(3) line : Quantity
listprice currency line : Selling Price
comment text line : Item Comment
discount_amount currency line : Item Discount Amount
discount_percent double(3) line : Item Discount Percent
""",
}
"""What modules share, by the name that follows an @."""
