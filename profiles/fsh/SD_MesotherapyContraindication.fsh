Profile: MesotherapyContraindication
Parent: DetectedIssue
Id: mesotherapy-contraindication
Title: "Contraindication that was found"
Description: "That something stands against treatment: what, how strongly, against which drug or site, and whether it was eased. The fact that it rests on (a wound, a pregnancy, an anticoagulant, an allergy) is a resource of its own, its evidence. Strength and scope are what the clinic stated and may be missing; nothing here is advice."
* insert Profiled([[Controindicazione rilevata]])
* insert Identified
* obeys ci-1 and ci-2 and ci-3 and ci-4
* extension contains
    ContraindicationStrength named strength 0..1 MS and
    ContraindicationScope named scope 0..1 MS and
    ContraindicatedSubstance named substance 0..1 MS and
    ContraindicatedSite named site 0..1 MS and
    ConditionControlled named controlled 0..1 MS and
    HeldPeriod named heldPeriod 0..1 MS
* status MS
* status insert Says([[It stands (`final`), or is withdrawn (`entered-in-error`)]], [[È valida (`final`) o annullata (`entered-in-error`)]])
* code 1..1 MS
// The bindings stand at the codings: HAPI wants every coding of a bound concept in its value set.
* code.coding ^slicing.discriminator.type = #value
* code.coding ^slicing.discriminator.path = "system"
* code.coding ^slicing.rules = #open
* code.coding contains
    issue 1..1 MS and
    kind 1..1 MS
* code.coding[issue].system 1..1
* code.coding[issue].system = $actcode
* code.coding[issue] from IssueCodes (required)
* code.coding[issue] insert Says([[The kind of issue, for every EHR]], [[Il tipo di problema, per ogni cartella]])
* code.coding[kind].system 1..1
* code.coding[kind].system = $local
* code.coding[kind] from ContraindicationKinds (required)
* code.coding[kind] insert Says([[What was found]], [[Che cosa è stato rilevato]])
* severity MS
* severity insert Says([[The strength in FHIR's words: high is absolute, moderate relative, low a precaution]], [[La forza nei termini di FHIR: high assoluta, moderate relativa, low precauzione]])
* patient 1..1 MS
* patient insert Says([[The patient, as known to the EHR]], [[Il paziente, come noto alla cartella clinica]])
* identified[x] only dateTime
* identified[x] MS
* identified[x] insert Says([[When it was found]], [[Quando è stata rilevata]])
* author only Reference(Practitioner or PractitionerRole)
* author MS
* author insert Says([[Who found it]], [[Chi l'ha rilevata]])
* implicated only Reference(CarePlan or ServiceRequest or Procedure or MedicationAdministration)
* implicated MS
* implicated insert Says([[The plan or session that it stands against]], [[Il piano o la seduta a cui si oppone]])
* evidence MS
* evidence.detail only Reference(AllergyIntolerance or Condition or MedicationStatement or Observation)
* evidence.detail MS
* evidence.detail insert Says([[The fact that it rests on]], [[Il fatto su cui si basa]])
* detail MS
* detail insert Says([[A description for people]], [[Una descrizione per le persone]])
* mitigation MS
* mitigation.action MS
* mitigation.action insert Says([[What removed or eased it]], [[Che cosa l'ha tolta o attenuata]])
* mitigation.date MS
* mitigation.date insert Says([[When that was]], [[Quando]])
* code insert Says([[What it is about]], [[Di che cosa si tratta]])
* evidence insert Says([[What it rests on]], [[Su che cosa si basa]])
* mitigation insert Says([[What was done about it]], [[Che cosa si è fatto al riguardo]])
* insert Described([[Che qualcosa si oppone al trattamento: che cosa, con quale forza, contro quale farmaco o sede, e se è stato attenuato. Il fatto su cui si basa (una ferita, una gravidanza, un anticoagulante, un'allergia) è una risorsa a sé. Forza e ambito sono quelli dichiarati dalla clinica e possono mancare; nulla qui è un consiglio.]])
