Extension: TreatmentPurpose
Id: treatment-purpose
Title: "Purpose of treatment"
Description: "Pain relief or aesthetic treatment."
Context: ServiceRequest, Procedure, ActivityDefinition
* insert Italian([[Finalità del trattamento]])
* value[x] only CodeableConcept
* value[x] 1..1
* valueCodeableConcept from Purposes (required)
