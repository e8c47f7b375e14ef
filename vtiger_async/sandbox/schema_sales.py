"""Leads, organisations, contacts, deals and campaigns: their fields, as text (see schema.py).

Names, types, labels and order are those measured on Vtiger 8.4, with the pipeline of the manual of
2025 and some custom fields added.
"""

from __future__ import annotations

__all__ = ["SALES"]

SALES = """
[Campaigns] 17 | Campaigns | Campaign | campaignname | campaign_no CAM
campaignname string(255)! : Campaign Name
campaign_no string ro : Campaign No
campaigntype picklist : Campaign Type
product_id reference to=Products : Product
campaignstatus picklist : Campaign Status
closingdate date! : Expected Close Date
assigned_user_id owner! : Assigned To
numsent double(0) commas : Num Sent
sponsor string(255) : Sponsor
targetaudience string(255) : Target Audience
targetsize integer : TargetSize
@system
expectedresponse picklist : Expected Response
expectedrevenue currency : Expected Revenue
budgetcost currency : Budget Cost
actualcost currency : Actual Cost
expectedresponsecount integer : Expected Response Count
expectedsalescount integer : Expected Sales Count
expectedroi currency : Expected ROI
actualresponsecount integer : Actual Response Count
actualsalescount integer : Actual Sales Count
actualroi currency : Actual ROI
description text : Description

[Leads] 2 | Leads | Lead | firstname,lastname | lead_no LEA
salutationtype string(200) : Salutation
firstname string(40) quick : First Name
lead_no string ro : Lead Number
phone phone(50) quick : Primary Phone
lastname string(80)! : Last Name
mobile phone(50) : Mobile Phone
company string(100) quick : Company
fax phone(50) : Fax
designation string(50) : Designation
email email quick : Primary Email
leadsource picklist : Lead Source
website url : Website
industry picklist : Industry
leadstatus picklist : Lead Status
annualrevenue currency : Annual Revenue
rating picklist : Rating
noofemployees integer : Number of Employees
assigned_user_id owner! : Assigned To
secondaryemail email : Secondary Email
@times
emailoptout boolean : Email Opt Out
@marks
lane text(250) : Street
code string(30) : Postal Code
city string(30) : City
country string(30) : Country
state string(30) : State
pobox string(30) : PO Box
description text : Description
cf_871 radio : Budget Confirmed
cf_873 date : Callback On

[Accounts] 3 | Organizations | Organization | accountname | account_no ACC
accountname string(100)! unique : Organization Name
account_no string ro : Organization Number
phone phone quick : Primary Phone
website url(100) quick : Website
fax phone : Fax
tickersymbol string(30) : Ticker Symbol
otherphone phone : Secondary Phone
account_id reference to=Accounts : Member Of
email1 email quick : Primary Email
employees integer : Employees
email2 email : Secondary Email
ownership string(50) : Ownership
rating picklist : Rating
industry picklist : Industry
siccode string(50) : SIC Code
accounttype picklist : Type
annual_revenue currency : Annual Revenue
emailoptout boolean : Email Opt Out
notify_owner boolean : Notify Owner
assigned_user_id owner! : Assigned To
@times
isconvertedfromlead boolean : Is Converted From Lead
@marks
@addresses
description text : Description
cf_851 multipicklist : Interests
cf_853 boolean : Key Account
cf_855 double(2) : Agreed Discount
cf_857 date : Renewal Date

[Contacts] 4 | Contacts | Contact | firstname,lastname | contact_no CON
salutationtype string(200) : Salutation
firstname string(40) quick : First Name
contact_no string ro : Contact Id
phone phone(50) quick : Office Phone
lastname string(80)! : Last Name
mobile phone(50) quick : Mobile Phone
account_id reference to=Accounts quick : Organization Name
homephone phone(50) : Home Phone
leadsource picklist : Lead Source
otherphone phone(50) : Secondary Phone
title string(50) : Title
fax phone(50) : Fax
department string(30) : Department
birthday date : Date of Birth
email email quick : Primary Email
contact_id reference to=Contacts : Reports To
assistant string(30) : Assistant
secondaryemail email : Secondary Email
assistantphone phone(50) : Assistant Phone
donotcall boolean : Do Not Call
emailoptout boolean : Email Opt Out
assigned_user_id owner! : Assigned To
reference boolean : Reference
notify_owner boolean : Notify Owner
@times
isconvertedfromlead boolean : Is Converted From Lead
@marks
portal boolean : Portal User
support_start_date date : Support Start Date
support_end_date date : Support End Date
mailingstreet text(250) : Mailing Street
otherstreet text(250) : Other Street
mailingcity string(40) : Mailing City
othercity string(40) : Other City
mailingstate string(30) : Mailing State
otherstate string(50) : Other State
mailingzip string(30) : Mailing Zip
otherzip string(30) : Other Zip
mailingcountry string(40) : Mailing Country
othercountry string(30) : Other Country
mailingpobox string(30) : Mailing P.O. Box
otherpobox string(30) : Other P.O. Box
description text : Description
imagename image : Contact Image
cf_861 multipicklist : Languages
cf_863 percentage(2) : Satisfaction
cf_865 string(40) sensitive : Passport Number
cf_867 skype : Skype Id
cf_memberfrom date : Member From

[Potentials] 5 | Deals | Deal | potentialname | potential_no POT
potentialname string(120)! : Deal Name
potential_no string ro : Deal Number
amount currency quick : Amount
related_to reference to=Accounts quick : Organization Name
closingdate date! : Expected Close Date
opportunity_type picklist : Type
nextstep string(100) : Next Step
leadsource picklist : Lead Source
pipeline picklist : Pipeline
sales_stage picklist! : Sales Stage
assigned_user_id owner! : Assigned To
probability double(3) commas : Probability
campaignid reference to=Campaigns : Campaign Source
@times
description text : Description
forecast_amount currency : Weighted Revenue
isconvertedfromlead boolean : Is Converted From Lead
contact_id reference to=Contacts quick : Contact Name
cf_881 percentage(2) : Margin
cf_883 string(200) : Competitor
@marks
"""
"""The sales modules."""
