"""FHIR without mesotherapy: exact JSON, pictures of resources, base validation."""
