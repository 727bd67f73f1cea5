Extension: TreatmentApproach
Id: treatment-approach
Title: "Approach of treatment"
Description: "Allopathic or homeopathic mesotherapy."
Context: ServiceRequest, Procedure, ActivityDefinition
* insert Italian([[Approccio del trattamento]])
* obeys ext-known
* value[x] only CodeableConcept
* valueCodeableConcept from Approaches (required)
