Extension: CyclePhase
Id: cycle-phase
Title: "Phase of treatment"
Description: "Attack cycle, maintenance sessions, or the cycle repeated (what the request is for)."
Context: ServiceRequest, Procedure
* insert Italian([[Fase del trattamento]])
* obeys ext-known
* value[x] only CodeableConcept
* valueCodeableConcept from Phases (required)
