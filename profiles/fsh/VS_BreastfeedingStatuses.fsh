ValueSet: BreastfeedingStatuses
Id: breastfeeding-statuses
Title: "Breastfeeding statuses"
Description: "Whether the patient breastfeeds now."
* insert Italian([[Stati di allattamento]])
* $loinc#LA29252-6 "Currently"
* $loinc#LA29253-4 "Not currently"
* $loinc#LA4489-6 "Unknown"
