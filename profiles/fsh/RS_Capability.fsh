// A resource type of a CapabilityStatement, and how much it matters.
RuleSet: Type(type, expectation)
* rest.resource[+].type = #{type}
* rest.resource[=].extension.url = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-expectation"
* rest.resource[=].extension.valueCode = #{expectation}

// One that mesofhir writes, by a profile of its own.
RuleSet: Written(type, profile, expectation)
* insert Type({type}, {expectation})
* rest.resource[=].supportedProfile[+] = Canonical({profile})
* insert Kept

RuleSet: Kept
* rest.resource[=].interaction[0].code = #read
* rest.resource[=].interaction[+].code = #search-type
* rest.resource[=].interaction[+].code = #create
* rest.resource[=].interaction[+].code = #update
* rest.resource[=].versioning = #versioned-update
* rest.resource[=].conditionalCreate = true
* rest.resource[=].searchParam[0].name = "identifier"
* rest.resource[=].searchParam[=].type = #token

RuleSet: Found(type, expectation)
* insert Type({type}, {expectation})
* rest.resource[=].interaction[0].code = #read
* rest.resource[=].interaction[+].code = #search-type
* rest.resource[=].searchParam[0].name = "identifier"
* rest.resource[=].searchParam[=].type = #token

RuleSet: EverythingWritten
* insert Found(Patient, SHALL)
* insert Found(Practitioner, SHALL)
* insert Written(CarePlan, MesotherapyCarePlan, SHOULD)
* rest.resource[=].supportedProfile[+] = Canonical(AftercarePlan)
* insert Written(Procedure, MesotherapyCycle, SHOULD)
* rest.resource[=].supportedProfile[+] = Canonical(MesotherapySession)
* insert Written(AllergyIntolerance, MesotherapyDrugAllergy, SHOULD)
* insert Written(ServiceRequest, MesotherapyCycleRequest, MAY)
* rest.resource[=].supportedProfile[+] = Canonical(MesotherapySessionRequest)
* rest.resource[=].supportedProfile[+] = Canonical(AftercareInstruction)
* insert Written(Condition, MesotherapyIndication, MAY)
* insert Written(DetectedIssue, MesotherapyContraindication, MAY)
* insert Written(MedicationAdministration, MesotherapyAdministration, MAY)
* insert Written(Observation, PainScore, MAY)
* rest.resource[=].supportedProfile[+] = Canonical(SkinReaction)
* rest.resource[=].supportedProfile[+] = Canonical(PregnancyStatus)
* rest.resource[=].supportedProfile[+] = Canonical(BreastfeedingStatus)
* insert Written(Goal, PainGoal, MAY)
* insert Written(Consent, MesotherapyConsent, MAY)
* insert Type(Encounter, MAY)
* insert Kept
* insert Type(MedicationStatement, MAY)
* insert Kept
