Extension: Laterality
Id: laterality
Title: "Side"
Description: "Which side of the site: left, right or both. The text of the site says it too."
Context: CodeableConcept
* insert Italian([[Lato]])
* value[x] only CodeableConcept
* value[x] 1..1
* valueCodeableConcept from Sides (required)
