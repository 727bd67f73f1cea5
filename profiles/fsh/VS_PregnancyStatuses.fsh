ValueSet: PregnancyStatuses
Id: pregnancy-statuses
Title: "Pregnancy statuses"
Description: "Pregnant or not pregnant, after the International Patient Summary."
* insert Italian([[Stati di gravidanza]])
* $sct#77386006 "Pregnant"
* $sct#60001007 "Not pregnant"
