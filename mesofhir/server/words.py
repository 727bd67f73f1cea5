"""The words that may be repeated from a server's messages.

Servers quote what they were sent: HAPI answers ``Unknown AdministrativeGender code 'Rossi'`` or names the
search value that it could not read. No pattern tells a surname from a word, so this is a list of what is let
through (everything else becomes ``…``): the types of FHIR R4, and the words that servers complain with.
A capital could begin a name (Field, Long, Massimo), so few words pass with one.
"""


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


#: the resource types of FHIR R4 (http://hl7.org/fhir/R4/resourcelist.html) and the two abstract ones
TYPES = words("""
    Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent
    Basic Binary BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam
    CatalogEntry ChargeItem ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem
    Communication CommunicationRequest CompartmentDefinition Composition ConceptMap Condition Consent Contract
    Coverage CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device DeviceDefinition
    DeviceMetric DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference
    DomainResource EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest EnrollmentResponse
    EpisodeOfCare EventDefinition Evidence EvidenceVariable ExampleScenario ExplanationOfBenefit
    FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse HealthcareService ImagingStudy
    Immunization ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice
    Library Linkage List Location Measure MeasureReport Media Medication MedicationAdministration
    MedicationDispense MedicationKnowledge MedicationRequest MedicationStatement MedicinalProduct
    MedicinalProductAuthorization MedicinalProductContraindication MedicinalProductIndication
    MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured
    MedicinalProductPackaged MedicinalProductPharmaceutical MedicinalProductUndesirableEffect
    MessageDefinition MessageHeader MolecularSequence NamingSystem NutritionOrder Observation
    ObservationDefinition OperationDefinition OperationOutcome Organization OrganizationAffiliation Parameters
    Patient PaymentNotice PaymentReconciliation Person PlanDefinition Practitioner PractitionerRole Procedure
    Provenance Questionnaire QuestionnaireResponse RelatedPerson RequestGroup ResearchDefinition
    ResearchElementDefinition ResearchStudy ResearchSubject Resource RiskAssessment RiskEvidenceSynthesis
    Schedule SearchParameter ServiceRequest Slot Specimen SpecimenDefinition StructureDefinition StructureMap
    Subscription Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein
    SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification SupplyDelivery SupplyRequest
    Task TerminologyCapabilities TestReport TestScript ValueSet VerificationResult VisionPrescription
""")

#: segments of a path: the elements of the types that we exchange and of their data types (R4; a test compares them)
ELEMENTS = words("""
    abatement abatementAge abatementDateTime abatementPeriod abatementRange abatementString account
    achievementStatus action active activity actor additionalInstruction address addresses admitSource age
    amount appliesTo appointment asNeeded asNeededBoolean asNeededCodeableConcept asserter assessment
    assigner attachment authenticator author authoredOn authority authorReference authorString basedOn batch
    birthDate bodySite bounds boundsDuration boundsPeriod boundsRange careTeam category citation city class
    classHistory clinicalStatus code codeFilter coding communication comparator compartment complication
    complicationDetail component condition conditionalCreate conditionalDelete conditionalRead
    conditionalUpdate contact contained content contentType context contributor copyright cors count countMax
    country created creation criticality currency custodian dailyAmount data dataAbsentReason dataPeriod date
    dateAsserted dateFilter dateTime dayOfWeek deceased deceasedBoolean deceasedDateTime definition
    denominator derivedFrom description destination detail detailBoolean detailCodeableConcept detailInteger
    detailQuantity detailRange detailRatio details detailString device diagnosis diagnostics dietPreference
    dimensions direction dischargeDisposition display district div docStatus document documentation
    doNotPerform dosage dose doseAndRate doseQuantity doseRange due dueDate dueDuration duration durationMax
    durationUnit effective effectiveDateTime effectiveInstant effectivePeriod effectiveTiming encounter end
    endpoint entry episodeOfCare etag event eventHistory evidence experimental expirationDate exposureRoute
    expressedBy expression extension facilityType factor family fhirVersion focalDevice focus followUp form
    format frequency frequencyMax fullUrl function gender generalPractitioner given goal hash hasMember high
    hospitalization id identified identifiedDateTime identifiedPeriod identifier ifMatch ifModifiedSince
    ifNoneExist ifNoneMatch implementation implementationGuide implicated implicitRules imports individual
    informationSource ingredient instantiates instantiatesCanonical instantiatesUri insurance intent
    interaction interpretation isActive issue issued issuer item itemCodeableConcept itemReference
    jurisdiction kind label language lastModified lastOccurrence lastUpdated length lifecycleStatus limit
    line link location locationCode locationReference lotNumber low lowerLimit managingOrganization
    manifestation manipulated manufacturer maritalStatus masterIdentifier max maxDosePerAdministration
    maxDosePerLifetime maxDosePerPeriod meaning measure medication medicationCodeableConcept
    medicationReference messaging meta method min mitigation mode modifierExtension multipleBirth
    multipleBirthBoolean multipleBirthInteger mustSupport name note numerator occurrence occurrenceDateTime
    occurrencePeriod occurrenceTiming offset onBehalfOf onset onsetAge onsetDateTime onsetPeriod onsetRange
    onsetString operation orderDetail organization origin other outcome outcomeCode outcomeCodeableConcept
    outcomeReference parameter part participant partOf patchFormat path patient patientInstruction performed
    performedAge performedDateTime performedPeriod performedRange performedString performer performerType
    period periodMax periodUnit photo physicalType policy policyRule postalCode practiceSetting
    preAdmissionIdentifier preferred prefix priority product productCodeableConcept productReference profile
    progress protocol provision publisher purpose qualification quantity quantityQuantity quantityRange
    quantityRatio rank rate rateQuantity rateRange rateRatio reaction readHistory reAdmission reasonCode
    reasonReference recordedDate recorder reference referencePolicy referenceRange related relatesTo relation
    relationship releaseDate relevantHistory reliableCache repeat replaces report request requester
    requisition resource response rest role route scheduled scheduledPeriod scheduledString scheduledTiming
    scope score search searchInclude searchParam searchRevInclude security securityLabel sequence service
    serviceProvider serviceType severity sigFormat signature site size software sort source sourceAttachment
    sourcePatientInfo sourceReference specialArrangement specialCourtesy specimen stage start
    startCodeableConcept startDate state status statusDate statusHistory statusReason strength subject
    subjectCodeableConcept subjectReference substance suffix summary supportedMessage supportedProfile
    supportingInfo supportingInformation system tag target targetFormat telecom text time timeOfDay timestamp
    timing timingDate timingDateTime timingReference timingTiming title total type unit updateCreate
    upperLimit uri url use useContext usedCode usedReference userSelected value valueAddress valueAge
    valueAnnotation valueAttachment valueBase64Binary valueBoolean valueCanonical valueCode
    valueCodeableConcept valueCoding valueContactDetail valueContactPoint valueContributor valueCount
    valueDataRequirement valueDate valueDateTime valueDecimal valueDistance valueDosage valueDuration
    valueExpression valueHumanName valueId valueIdentifier valueInstant valueInteger valueMarkdown valueMeta
    valueMoney valueOid valueParameterDefinition valuePeriod valuePositiveInt valueQuantity valueRange
    valueRatio valueReference valueRelatedArtifact valueSampledData valueSet valueSignature valueString
    valueTime valueTiming valueTriggerDefinition valueUnsignedInt valueUri valueUrl valueUsageContext
    valueUuid verification verificationDate verificationStatus verified verifiedWith version versionId
    versioning when who
""")

#: and the functions of FHIRPath that stand in expressions (http://hl7.org/fhirpath/N1)
FUNCTIONS = words("all as empty exists extension first hasValue is item last ofType resolve trace where")

#: let through in lower case; English, then Italian
PLAIN = words("""
    a about absent abstract accept accepted access acting action active add added admin administrator after
    again against all allow allowed already also although an and another any api application are argument
    array as at attempt attempted attribute authenticated authentication authorised authorization authorized
    back bad base batch be because been before begin being below between binding birthdate body boolean both
    business but by call can canceled cancelled cannot canonical capability capacity cardinality case chain
    chained chaining change changed character characters check choice client closed code coded coding column
    commit committed compartment complete completed concept concurrency concurrent condition conditional
    conditionally configuration configured conflict conflicting connection constraint contact contain
    contained containing contains content contention contract correct could count create created creating
    creation criteria current currently data database date datetime decimal declare default defined delete deleted
    deletion denied deny depends deprecated detail details detected did different digits disabled
    discriminator display do does domain done double drop due duplicate duplicated during each either element
    elements empty enabled encoded encoding end endpoint enforced entity entries entry enumeration error
    errors even ever exactly exceed exceeded exceeds exception executed exist existing exists expected
    expecting expired extension extensions external failed failing fails failure family fatal feature field
    fields file filter find first fixed following for forbidden form format found from full function gender
    general given got group had handle handled has have header headers here history hit how http https i id
    identical identifier identifiers ids if ignored illegal implement implemented in include included incoming
    incomplete inconsistent index informational input instance instant instead insufficient integer integrity
    interaction internal into invalid invariant invocation is issue it item items its json just key known
    knows language large last later least length level limit line link list literal local location lock locked
    logical login long longer lookup lost made maintenance malformed mandatory many match matched matches
    matching max maximum may mean mechanism media member message meta metadata method might mime minimum
    mismatch miss missing mode model modified modifier moment more most multiple must name namespace narrative
    need needed needs neither network new next no none nor normal not nothing null number object obsolete of
    on once one only open operation optimistic optional or order organization other otherwise out outcome
    outside over overloaded own page paging parameter parameters parse parsed parser parsing partial partition
    password patch path pattern payload pending perform performed performing permission permitted please point
    policy position possible practitioner precondition preference present primitive prior problem process
    processed processing produce profile profiles prohibited property provide provided provider purpose put
    qualifier quantity query quota range rate reached read reason received recognised recognized record
    records reference referenced references referential refused register registered reject rejected relative
    remove removed repeat repeated replace request requested requests require required requires reserved
    resolve resolved resource resources response rest restricted result results retry return returned roll
    rollback rolled root rule same save schema scope search searches searching second section secure security
    see send sent serialised serialized server service session set short should simple simultaneous single
    size slice slicing so some something source specified stale standard start started state statement status
    still stopped storage store stored strict string structure subject submitted subscription succeeded
    succeeds successful successfully such supplied support supported supports syntax system systems table tag
    taken taking target telecom temporarily temporary tenant terminology text than that the their them then
    there therefore these they this those threshold throttled time timed timeout times timestamp to token too
    total transaction transient true trying twice type types unable unauthorised unauthorized unavailable
    unexpected unhandled unique unit unknown unless unprocessable unreachable unrecognised unrecognized
    unresolved unsupported until untrusted up update updated updates updating uri url urn use used user using
    uuid valid validate validated validation validator value values verify version versions via violated
    violates violation wait was were what when where whether which while whose will with within without would
    write writing wrong xhtml xml yet you your zone

    allows annotations best codings come compare comparing concepts constraint definition display displays
    embedded human judge matching misleading observations performer practice readable recommendation
    recommended slice suitable units validator

    assente campi campo chiave codice con conflitto dal dalla dei del della deve devono di dopo duplicato
    elementi elemento errore errori esiste esistente essere fallita fallito formato già gli il la le lo manca
    mancante mancanti massimo nel nella nessun nessuna nome non obbligatoria obbligatorio oppure per prima
    richiesta richiesto riferimento risorsa risorse servizio sono stato tipo troppi troppo trovata trovato un
    una valida valido valore valori versione
""")

#: let through with a capital or in capitals too: what sentences and codes begin with, and names nobody
CAPITAL = words("""
    access attempt authentication authorization body cannot client code conditional conflict constraint
    content could create created delete deleted duplicate element entries entry error errors exception
    existing expected extension failed failure fhir first get hapi header hl7 http https icd id identifier if
    interaction internal invalid json loinc match matched maximum minimum missing mrn multiple no not npi
    oauth only operation parameter parameters patch payload post precondition processing profile put reference
    references request resource rolled search server smart snomed sql ssl status successful successfully
    system that the this timeout tls token too transaction transient trying type ucum unable unexpected
    unknown unprocessable unrecognized unsupported update updated uri url uuid valid validation value version
    with xhtml xml
""")

#: words after which a bare number counts something of the message, not of a patient
COUNTING = words(
    "matched matches entry entries index line column position status http character maximum limit than"
)
