Instance: mesofhir-server
InstanceOf: CapabilityStatement
Usage: #definition
* name = "MesofhirServer"
* title = "What mesofhir asks of a FHIR server"
* insert TitledInItalian([[Che cosa mesofhir chiede a un server FHIR]])
* status = #active
* date = "2026-01-01"
* kind = #requirements
* description = "What mesofhir asks of an EHR's FHIR server. Patients and practitioners have to be found by identifier. CarePlan, Procedure and AllergyIntolerance come first; each is readable when everything else is refused. Where transactions, conditional creates or whole types are missing, mesofhir does with less and says so before it sends anything (`mesofhir server check`)."
* fhirVersion = #4.0.1
* format[0] = #json
* rest.mode = #server
* rest.interaction[0].code = #transaction
* rest.interaction[+].code = #batch
* insert EverythingWritten
