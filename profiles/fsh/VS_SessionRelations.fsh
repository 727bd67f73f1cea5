ValueSet: SessionRelations
Id: session-relations
Title: "Before or after a session"
Description: "On which side of a session an instruction applies."
* insert Italian([[Prima o dopo la seduta]])
* http://hl7.org/fhir/action-relationship-type#before "Before"
* http://hl7.org/fhir/action-relationship-type#after "After"
