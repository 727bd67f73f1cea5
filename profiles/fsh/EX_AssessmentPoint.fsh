Extension: AssessmentPoint
Id: assessment-point
Title: "Assessment point"
Description: "At which point of the treatment the score was taken."
Context: Observation
* insert Italian([[Momento della valutazione]])
* obeys ext-known
* value[x] only CodeableConcept
* valueCodeableConcept from AssessmentPoints (required)
