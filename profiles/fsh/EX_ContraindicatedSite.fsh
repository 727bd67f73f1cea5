Extension: ContraindicatedSite
Id: contraindicated-site
Title: "Contraindicated site"
Description: "The site that it stands against, with its side."
Context: DetectedIssue
* insert Italian([[Sede controindicata]])
* value[x] only CodeableConcept
* value[x] 1..1
* valueCodeableConcept from Sites (extensible)
* valueCodeableConcept.extension contains Laterality named laterality 0..1
