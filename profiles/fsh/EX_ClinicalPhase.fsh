Extension: ClinicalPhase
Id: clinical-phase
Title: "Clinical phase"
Description: "Acute or chronic phase of the complaint."
Context: Condition
* insert Italian([[Fase clinica]])
* obeys ext-known
* value[x] only CodeableConcept
* valueCodeableConcept from ClinicalPhases (required)
