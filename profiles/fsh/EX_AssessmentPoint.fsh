Extension: AssessmentPoint
Id: assessment-point
Title: "Assessment point"
Description: "At which point of the treatment the score was taken."
Context: Observation
* insert Italian([[Momento della valutazione]])
* value[x] only CodeableConcept
* value[x] 1..1
* valueCodeableConcept from AssessmentPoints (required)
