Extension: ContraindicationScope
Id: contraindication-scope
Title: "Scope of the contraindication"
Description: "Whether it stands against any mesotherapy, one substance, or one site."
Context: DetectedIssue
* insert Italian([[Ambito della controindicazione]])
* value[x] only CodeableConcept
* value[x] 1..1
* valueCodeableConcept from Scopes (required)
