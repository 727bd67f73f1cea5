Extension: Laterality
Id: laterality
Title: "Side"
Description: "Which side of the site: left, right or both. The text of the site says it too."
Context: CodeableConcept
* insert Italian([[Lato]])
* obeys ext-known
* value[x] only CodeableConcept
* valueCodeableConcept from Sides (required)
