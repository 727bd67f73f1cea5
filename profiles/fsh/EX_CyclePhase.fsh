Extension: CyclePhase
Id: cycle-phase
Title: "Phase of treatment"
Description: "Attack cycle, maintenance sessions, or the cycle repeated (what the request is for)."
Context: ServiceRequest, Procedure
* insert Italian([[Fase del trattamento]])
* value[x] only CodeableConcept
* value[x] 1..1
* valueCodeableConcept from Phases (required)
