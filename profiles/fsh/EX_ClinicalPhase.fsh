Extension: ClinicalPhase
Id: clinical-phase
Title: "Clinical phase"
Description: "Acute or chronic phase of the complaint."
Context: Condition
* insert Italian([[Fase clinica]])
* value[x] only CodeableConcept
* value[x] 1..1
* valueCodeableConcept from ClinicalPhases (required)
