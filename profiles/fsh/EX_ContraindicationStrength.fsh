Extension: ContraindicationStrength
Id: contraindication-strength
Title: "Strength of the contraindication"
Description: "How strongly it stands against treatment: absolute, relative, or a precaution. It is what the clinic stated, no advice."
Context: DetectedIssue
* insert Italian([[Forza della controindicazione]])
* value[x] only CodeableConcept
* value[x] 1..1
* valueCodeableConcept from Strengths (required)
