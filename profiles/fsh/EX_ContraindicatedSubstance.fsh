Extension: ContraindicatedSubstance
Id: contraindicated-substance
Title: "Contraindicated substance"
Description: "The drug that it stands against."
Context: DetectedIssue
* insert Italian([[Sostanza controindicata]])
* value[x] only CodeableConcept
* value[x] 1..1
* valueCodeableConcept from Substances (extensible)
