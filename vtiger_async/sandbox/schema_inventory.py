"""Products, services, price books, vendors, and the four kinds of inventory documents, as text.

Names, types, labels and order are those measured on Vtiger 8.4 (see schema.py for the form).
"""

from __future__ import annotations

__all__ = ["INVENTORY"]

INVENTORY = """
[Vendors] 11 | Vendors | Vendor | vendorname | vendor_no VEN
vendorname string(100)! : Vendor Name
vendor_no string ro : Vendor Number
phone string quick : Primary Phone
email email quick : Primary Email
website url(100) : Website
glacct picklist : GL Account
category string(50) : Category
@times
street text : Street
pobox string(30) : PO Box
city string(30) : City
state string(30) : State
postalcode string(100) : Postal Code
country string(100) : Country
description text : Description
assigned_user_id owner! : Assigned To
@marks

[Products] 6 | Products | Product | productname | product_no PRO
productname string(255)! : Product Name
product_no string ro : Product Number
productcode string(40) : Part Number
discontinued boolean default=1 : Product Active
manufacturer picklist : Manufacturer
productcategory picklist : Product Category
sales_start_date date : Sales Start Date
sales_end_date date : Sales End Date
start_date date : Support Start Date
expiry_date date : Support Expiry Date
website url(100) : Website
vendor_id reference to=Vendors : Vendor Name
mfr_part_no string(200) : Mfr PartNo
vendor_part_no string(200) : Vendor Part No
serial_no string(200) : Serial No
productsheet string(200) : Product Sheet
glacct picklist : GL Account
@times
unit_price currency quick exact : Unit Price
commissionrate double(3) commas : Commission Rate
taxclass string(200) : Taxes
usageunit picklist : Usage Unit
qty_per_unit double(2) : Qty/Unit
qtyinstock double(3) : Qty. in Stock
reorderlevel integer : Reorder Level
assigned_user_id owner! : Handler
qtyindemand integer : Qty. in Demand
imagename image : Product Image
description text : Description
purchase_cost currency : Purchase Cost
@marks

[Services] 25 | Services | Service | servicename | service_no SER
servicename string(255)! : Service Name
service_no string ro : Service Number
discontinued boolean default=1 : Active
sales_start_date date : Sales Start Date
sales_end_date date : Sales End Date
start_date date : Support Start Date
expiry_date date : Support Expiry Date
website url(100) : Website
@times
service_usageunit picklist : Usage Unit
qty_per_unit double(2) : Number of Units
assigned_user_id owner : Owner
servicecategory picklist : Category
unit_price currency quick exact : Price
taxclass string(200) : Taxes
commissionrate double(3) commas : Commission Rate
description text : Description
@marks
purchase_cost currency : Purchase Cost

[PriceBooks] 12 | Price Books | Price Book | bookname | pricebook_no PB
bookname string(100)! : Price Book Name
pricebook_no string ro : Price Book Number
active boolean default=1 : Active
createdtime datetime ro : Created Time
modifiedtime datetime ro : Modified Time
currency_id reference! to=Currency : Currency
modifiedby reference ro to=Users : Last Modified By
description text : Description
@marks

[Quotes] 13 | Quotes | Quote | subject | quote_no QUO
quote_no string ro : Quote Number
subject string(100)! : Subject
potential_id reference to=Potentials : Deal Name
quotestage picklist! : Quote Stage
validtill date : Valid Until
contact_id reference to=Contacts : Contact Name
carrier picklist : Carrier
hdnSubTotal currency : Sub Total
shipping string(100) : Shipping
assigned_user_id1 reference to=Users : Inventory Manager
@amounts
hdnGrandTotal currency : Total
@total
account_id reference! to=Accounts : Organization Name
assigned_user_id owner! : Assigned To
@times
@money
@sites
@lines
hdnS_H_Percent double(3) : Taxes On Charges
@marks
region_id picklist null : Tax Region

[PurchaseOrder] 14 | Purchase Orders | Purchase Order | subject | purchaseorder_no PO
purchaseorder_no string ro : Purchase Order Number
subject string(100)! : Subject
vendor_id reference! to=Vendors : Vendor Name
requisition_no string(100) : Requisition Number
tracking_no string(100) : Tracking Number
contact_id reference to=Contacts : Contact Name
duedate date : Due Date
carrier picklist : Carrier
@amounts
hdnGrandTotal currency : Total
hdnSubTotal currency : Sub Total
@total
postatus picklist! : Status
assigned_user_id owner! : Assigned To
@times
@money
@sites
@lines
paid currency default=0 : Paid
balance currency default=0 : Balance
hdnS_H_Percent double(3) : Taxes On Charges
@marks
region_id picklist null : Tax Region

[SalesOrder] 15 | Sales Orders | Sales Order | subject | salesorder_no SO
salesorder_no string ro : Sales Order Number
subject string(100)! : Subject
potential_id reference to=Potentials : Deal Name
customerno string(100) : Customer No
quote_id reference to=Quotes : Quote Name
vtiger_purchaseorder string(200) : Purchase Order
contact_id reference to=Contacts : Contact Name
duedate date : Due Date
carrier picklist : Carrier
pending string(200) : Pending
sostatus picklist! : Status
@amounts
hdnGrandTotal currency : Total
hdnSubTotal currency : Sub Total
@total
account_id reference! to=Accounts : Organization Name
assigned_user_id owner! : Assigned To
@times
@money
@sites
enable_recurring boolean : Enable Recurring
recurring_frequency picklist : Frequency
start_period date : Start Period
end_period date : End Period
payment_duration picklist : Payment Duration
invoicestatus picklist! : Invoice Status
@lines
hdnS_H_Percent double(3) : Taxes On Charges
@marks
region_id picklist null : Tax Region
last_recurring_date date ro : Next Invoice Date

[Invoice] 16 | Invoices | Invoice | subject | invoice_no INV
subject string(100)! : Subject
salesorder_id reference to=SalesOrder : Sales Order
customerno string(100) : Customer No
contact_id reference to=Contacts : Contact Name
invoicedate date : Invoice Date
duedate date : Due Date
vtiger_purchaseorder string(200) : Purchase Order
@amounts
hdnSubTotal currency : Sub Total
hdnGrandTotal currency : Total
@total
account_id reference! to=Accounts : Organization Name
invoicestatus picklist : Status
assigned_user_id owner! : Assigned To
@times
@money
@sites
invoice_no string ro : Invoice No
@lines
received currency default=0 : Received
balance currency default=0 : Balance
hdnS_H_Percent double(8) : Taxes On Charges
potential_id reference to=Potentials : Deal Name
@marks
region_id picklist null : Tax Region
"""
"""The inventory modules."""
