"""Tickets, documents, activities, mail, comments, projects, assets and contracts, as text.

Names, types, labels and order are those measured on Vtiger 8.4 (see schema.py for the form).
"""

from __future__ import annotations

__all__ = ["WORK"]

_PARENTS = "Accounts,Campaigns,HelpDesk,Invoice,Leads,Potentials,PurchaseOrder,Quotes,SalesOrder"
_COMMENTED = (
    "Leads,PurchaseOrder,Quotes,Invoice,Faq,HelpDesk,ProjectTask,"
    "Project,Potentials,Accounts,Contacts,SalesOrder"
)
_MILESTONE = " projectmilestone_no PM"

WORK = f"""
[Faq] 10 | FAQ | FAQ | question | faq_no FAQ
product_id reference to=Products : Product Name
faq_no string ro : Faq Number
faqcategories picklist : Category
faqstatus picklist! : Status
question text! : Question
faq_answer text! : Answer
@system

[Calendar] 1 | Calendar | Task | subject |
subject string(255)! : Subject
assigned_user_id owner! : Assigned To
date_start date! : Start Date & Time
time_start time! : Time Start
time_end time : End Time
due_date date! : Due Date
parent_id reference to={_PARENTS} : Related To
contact_id reference to=Contacts : Contact Name
taskstatus picklist! : Status
eventstatus picklist : Status
taskpriority picklist : Priority
sendnotification boolean : Send Notification
createdtime datetime ro : Created Time
modifiedtime datetime ro : Modified Time
activitytype picklist : Activity Type
visibility picklist : Visibility
description text : Description
duration_hours string(200) : Duration
duration_minutes picklist : Duration Minutes
location string(150) : Location
reminder_time integer null : Send Reminder
recurringtype picklist : Repeat
notime boolean : No Time
modifiedby reference ro to=Users : Last Modified By
@marks

[Events] 18 | Events | Event | subject |
subject string(255)! : Subject
assigned_user_id owner! : Assigned To
date_start date! : Start Date & Time
time_start time! : Time Start
due_date date! : End Date
time_end time! : End Time
recurringtype picklist : Repeat
duration_hours integer! : Duration
duration_minutes picklist : Duration Minutes
parent_id reference to={_PARENTS} : Related To
eventstatus picklist! : Status
sendnotification boolean : Send Notification
activitytype picklist! : Activity Type
location string(150) : Location
createdtime datetime ro : Created Time
modifiedtime datetime ro : Modified Time
taskpriority picklist : Priority
notime boolean : No Time
visibility picklist : Visibility
modifiedby reference ro to=Users : Last Modified By
description text : Description
reminder_time integer : Send Reminder
contact_id reference to=Contacts : Contact Name
@marks

[Documents] 7 | Documents | Document | notes_title | note_no DOC
notes_title string(50)! : Title
createdtime datetime ro : Created Time
modifiedtime datetime ro : Modified Time
filename file null : File Name
assigned_user_id owner! : Assigned To
notecontent text : Note
filetype string(50) ro : File Type
filesize integer ro : File Size
filelocationtype string(5) : Download Type
fileversion string(50) : Version
filestatus boolean default=1 : Active
filedownloadcount integer ro null : Download Count
folderid reference to=DocumentFolders : Folder Name
note_no string ro : Document No
modifiedby reference ro to=Users : Last Modified By
@marks

[Emails] 8 | Emails | Email | subject |
date_start date! : Date Sent
parent_type string : Sales Enity Module
activitytype string(200) : Activtiy Type
assigned_user_id owner! : Assigned To
subject string(255)! : Subject
filename file : Attachment
description text : Description
time_start time : Time Sent
createdtime datetime ro : Created Time
modifiedtime datetime ro : Modified Time
access_count integer : Access Count
modifiedby reference ro to=Users : Last Modified By
from_email string(50)! : From
saved_toid string(65535)! : To
ccmail string(65535) : CC
bccmail string(65535) : BCC
parent_id reference to=Accounts,Contacts,Leads,Users,Vendors : Parent Record
email_flag picklist : Email Flag
source string ro : Source
click_count integer : Click Count
starred boolean ro : starred
tags string ro : tags

[HelpDesk] 9 | Tickets | Ticket | ticket_title | ticket_no TT
ticket_no string ro : Ticket Number
assigned_user_id owner! : Assigned To
parent_id reference quick to=Accounts : Organization Name
ticketpriorities picklist must : Priority
product_id reference to=Products : Product Name
ticketseverities picklist : Severity
ticketstatus picklist! : Status
ticketcategories picklist : Category
update_log text null : Update History
hours double(8) : Hours
days double(8) : Days
createdtime datetime ro : Created Time
modifiedtime datetime ro : Modified Time
from_portal boolean ro : From Portal
modifiedby reference ro to=Users : Last Modified By
ticket_title string(255)! : Title
contact_id reference quick to=Contacts : Contact Name
@marks
description text : Description
solution text : Solution
cf_891 datetime : Promised Until

[ServiceContracts] 23 | Service Contracts | Service Contract | subject | contract_no SERCON
assigned_user_id owner! : Assigned To
createdtime datetime ro : Created Time
modifiedtime datetime ro : Modified Time
start_date date : Start Date
end_date date ro : End Date
sc_related_to reference to=Contacts,Accounts : Related To
tracking_unit picklist : Tracking Unit
total_units double(2) : Total Units
used_units double(2) : Used Units
subject string(100)! : Subject
due_date date : Due date
planned_duration string ro : Planned Duration (in Days)
actual_duration string ro : Actual Duration (in Days)
contract_status picklist : Status
contract_priority picklist : Priority
contract_type picklist : Type
progress double ro null : Progress
contract_no string ro : Contract Number
modifiedby reference ro to=Users : Last Modified By
@marks

[Assets] 27 | Assets | Asset | assetname | asset_no ASSET
asset_no string ro : Asset No
product reference! to=Products : Product Name
serialnumber string(200)! : Serial Number
datesold date! : Date Sold
dateinservice date! : Date in Service
assetstatus picklist! : Status
tagnumber string(300) : Tag Number
invoiceid reference to=Invoice : Invoice Name
shippingmethod string(200) : Shipping Method
shippingtrackingnumber string(200) : Shipping Tracking Number
assigned_user_id owner! : Assigned To
assetname string! : Asset Name
account reference! to=Accounts : Customer Name
contact reference to=Contacts : Contact Name
@times
description text : Notes
@marks

[ModComments] 28 | Comments | Comment | commentcontent |
commentcontent text! : Comment
assigned_user_id owner! : Assigned To
@times
related_to reference! to={_COMMENTED} : Related To
creator reference ro to=Users : Creator
parent_comments reference to=ModComments : Related To
@marks
customer reference to=Contacts : Customer
userid reference ro : UserId
reasontoedit text(100) : ReasonToEdit
is_private integer : Is Private
filename file : Attachment
related_email_id integer default=0 : Related Email Id

[ProjectTask] 30 | Project Tasks | Project Task | projecttaskname | projecttask_no PT
projecttaskname string(255)! : Project Task Name
projecttasktype picklist : Type
projecttaskpriority picklist : Priority
projectid reference! to=Project : Related To
assigned_user_id owner! : Assigned To
projecttasknumber integer : Project Task Number
projecttask_no string ro : Project Task No
projecttaskprogress picklist : Progress
projecttaskhours string(255) : Worked Hours
startdate date : Start Date
enddate date : End Date
@times
description text : Description
@marks
projecttaskstatus picklist : Status

[Project] 31 | Projects | Project | projectname | project_no PROJ
projectname string(255)! : Project Name
startdate date : Start Date
targetenddate date : Target End Date
actualenddate date : Actual End Date
projectstatus picklist : Status
projecttype picklist : Type
linktoaccountscontacts reference to=Accounts,Contacts : Related To
assigned_user_id owner! : Assigned To
project_no string ro : Project Number
targetbudget string(255) : Target Budget
projecturl url : Project Url
projectpriority picklist : Priority
progress picklist : Progress
@times
description text : Description
@marks
isconvertedfrompotential boolean : Is Converted From Opportunity
potentialid reference to=Potentials : Deal Name

[ProjectMilestone] 29 | Project Milestones | Project Milestone | projectmilestonename |{_MILESTONE}
projectmilestonename string(255)! : Project Milestone Name
projectmilestonedate date : Milestone Date
projectid reference! to=Project : Related To
projectmilestonetype picklist : Type
assigned_user_id owner! : Assigned To
projectmilestone_no string ro : Project Milestone Number
@times
description text : Description
@marks
"""
"""The modules of daily work."""
