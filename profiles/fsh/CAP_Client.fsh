Instance: mesofhir-client
InstanceOf: CapabilityStatement
Usage: #definition
* name = "MesofhirClient"
* title = "What mesofhir does as a client"
* insert TitledInItalian([[Che cosa fa mesofhir come client]])
* status = #active
* date = "2026-01-01"
* kind = #requirements
* description = "What mesofhir does as a client of a FHIR server: it finds people by identifier, creates what is new on the condition that no resource has its identifier, updates what changed by id with the version that it read, and reads back. It deletes nothing: a withdrawn record becomes `entered-in-error`. People are created only where that is asked for."
* fhirVersion = #4.0.1
* format[0] = #json
* rest.mode = #client
* rest.interaction[0].code = #transaction
* rest.interaction[+].code = #batch
* insert EverythingWritten
