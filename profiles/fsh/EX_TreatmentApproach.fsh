Extension: TreatmentApproach
Id: treatment-approach
Title: "Approach of treatment"
Description: "Allopathic or homeopathic mesotherapy."
Context: ServiceRequest, Procedure, ActivityDefinition
* insert Italian([[Approccio del trattamento]])
* value[x] only CodeableConcept
* value[x] 1..1
* valueCodeableConcept from Approaches (required)
