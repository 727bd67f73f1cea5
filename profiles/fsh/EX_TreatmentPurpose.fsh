Extension: TreatmentPurpose
Id: treatment-purpose
Title: "Purpose of treatment"
Description: "Pain relief or aesthetic treatment."
Context: ServiceRequest, Procedure, ActivityDefinition
* insert Italian([[Finalità del trattamento]])
* obeys ext-known
* value[x] only CodeableConcept
* valueCodeableConcept from Purposes (required)
