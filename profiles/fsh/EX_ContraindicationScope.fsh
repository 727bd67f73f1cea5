Extension: ContraindicationScope
Id: contraindication-scope
Title: "Scope of the contraindication"
Description: "Whether it stands against any mesotherapy, one substance, or one site."
Context: DetectedIssue
* insert Italian([[Ambito della controindicazione]])
* obeys ext-known
* value[x] only CodeableConcept
* valueCodeableConcept from Scopes (required)
