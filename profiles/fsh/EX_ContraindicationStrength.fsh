Extension: ContraindicationStrength
Id: contraindication-strength
Title: "Strength of the contraindication"
Description: "How strongly it stands against treatment: absolute, relative, or a precaution. It is what the clinic stated, no advice."
Context: DetectedIssue
* insert Italian([[Forza della controindicazione]])
* obeys ext-known
* value[x] only CodeableConcept
* valueCodeableConcept from Strengths (required)
