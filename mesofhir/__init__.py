"""mesofhir carries mesotherapy treatment histories between a clinic's records and a FHIR server."""
