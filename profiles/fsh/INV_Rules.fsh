// The rules of one resource, in FHIRPath. An error is something that mesofhir never writes. A warning is something
// that a good record has, but that a clinic may honestly not have recorded: the record is carried all the same.

Invariant: ext-known
Description: "An extension with a single value states it, or says by data-absent-reason that it is not known."
Severity: #error
Expression: "value.exists() or extension.where(url='http://hl7.org/fhir/StructureDefinition/data-absent-reason').exists()"

Invariant: ses-1
Description: "A completed session says when it took place, or that this is not known."
Severity: #warning
Expression: "status='completed' implies performed.start.exists()"

Invariant: ses-2
Description: "A completed session says where the injections were made, or that this is not known."
Severity: #warning
Expression: "status='completed' implies bodySite.exists()"

Invariant: ses-3
Description: "A completed session was intradermal: its technique carries IDINJ, unless the technique is not known."
Severity: #error
Expression: "status='completed' implies extension.where(url='http://hl7.org/fhir/StructureDefinition/procedure-method').value.where(coding.where(system='http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration' and code='IDINJ').exists() or extension.where(url='http://hl7.org/fhir/StructureDefinition/data-absent-reason').exists()).exists()"

Invariant: ses-4
Description: "A completed session names who performed it: mesotherapy is a medical act."
Severity: #warning
Expression: "status='completed' implies performer.actor.exists()"

Invariant: ses-5
Description: "A session that was stopped or not done says why."
Severity: #warning
Expression: "(status='not-done' or status='stopped') implies statusReason.exists()"

Invariant: ses-6
Description: "In a session that was not done nothing happened: no complication, no outcome, no needle."
Severity: #error
Expression: "status='not-done' implies (complication.empty() and outcome.empty() and usedCode.empty())"

Invariant: ses-7
Description: "A session that was not done has no dates, but says so: data-absent-reason `not-performed`. The booked date is in its request."
Severity: #error
Expression: "status='not-done' implies (performed.start.empty() and performed.end.empty() and performed.extension.where(url='http://hl7.org/fhir/StructureDefinition/data-absent-reason' and value='not-performed').exists())"

Invariant: cyc-1
Description: "A cycle that has a Procedure is in progress, on hold, stopped, completed, not done or withdrawn."
Severity: #error
Expression: "status='in-progress' or status='on-hold' or status='stopped' or status='completed' or status='not-done' or status='entered-in-error'"

Invariant: ses-8
Description: "A session that has a Procedure is in progress, stopped, completed, not done or withdrawn."
Severity: #error
Expression: "status='in-progress' or status='stopped' or status='completed' or status='not-done' or status='entered-in-error'"

Invariant: cyc-2
Description: "A cycle that is completed or stopped has an end, or says that it is not known."
Severity: #warning
Expression: "(status='completed' or status='stopped') implies performed.end.exists()"

Invariant: cyc-3
Description: "A cycle that was stopped, held or not done says why."
Severity: #warning
Expression: "(status='stopped' or status='not-done' or status='on-hold') implies statusReason.exists()"

Invariant: cyc-4
Description: "A cycle says what it is given for."
Severity: #warning
Expression: "status='entered-in-error' or reasonCode.exists() or reasonReference.exists()"

Invariant: req-1
Description: "The most of a range is not less than its least: sessions, their length, the time between them."
Severity: #error
Expression: "repeat.where(count.exists() and countMax.exists() and count.extension.empty() and countMax.extension.empty()).all(countMax >= count) and repeat.where(duration.exists() and durationMax.exists() and duration.extension.empty() and durationMax.extension.empty()).all(durationMax >= duration) and repeat.where(period.exists() and periodMax.exists() and period.extension.empty() and periodMax.extension.empty()).all(periodMax >= period)"

Invariant: ma-1
Description: "A mixture that was given was given into the skin: the route carries IDINJ."
Severity: #error
Expression: "status='completed' implies dosage.route.coding.where(system='http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration' and code='IDINJ').exists()"

Invariant: ma-2
Description: "The volume that was given is not negative, and in millilitres (UCUM `mL`)."
Severity: #error
Expression: "dosage.dose.where(value.exists() and value.extension.empty()).all(value >= 0 and system='http://unitsofmeasure.org' and code='mL')"

Invariant: ma-3
Description: "The mixture stands in the administration itself, since EHRs that export a patient leave other Medications out."
Severity: #error
Expression: "medication.reference.startsWith('#')"

Invariant: ci-1
Description: "The strength and the severity say the same: absolute is high, relative is moderate, a precaution is low."
Severity: #error
Expression: "extension.where(url='https://w3id.org/mesofhir/StructureDefinition/contraindication-strength').value.coding.where(system='https://w3id.org/mesofhir/CodeSystem/mesotherapy').all((code='absolute' and %resource.severity='high') or (code='relative' and %resource.severity='moderate') or (code='precaution' and %resource.severity='low'))"

Invariant: ci-2
Description: "A contraindication to one substance names the substance."
Severity: #warning
Expression: "extension.where(url='https://w3id.org/mesofhir/StructureDefinition/contraindication-scope').value.coding.where(code='substance').exists() implies extension.where(url='https://w3id.org/mesofhir/StructureDefinition/contraindicated-substance').exists()"

Invariant: ci-3
Description: "A contraindication at one site names the site."
Severity: #warning
Expression: "extension.where(url='https://w3id.org/mesofhir/StructureDefinition/contraindication-scope').value.coding.where(code='site').exists() implies extension.where(url='https://w3id.org/mesofhir/StructureDefinition/contraindicated-site').exists()"

Invariant: ci-4
Description: "A contraindication refers to the fact that it rests on."
Severity: #warning
Expression: "evidence.detail.exists()"

Invariant: alg-1
Description: "That no allergy is known is no allergy: it has no reaction and no criticality."
Severity: #error
Expression: "code.coding.where(system='http://snomed.info/sct' and (code='716186003' or code='409137002')).exists() implies (reaction.empty() and criticality.empty())"

Invariant: alg-2
Description: "An allergy to a drug is of the category medication."
Severity: #error
Expression: "code.coding.where(system='http://snomed.info/sct' and (code='716186003' or code='409137002')).exists() or category.where($this='medication').exists()"

Invariant: alg-3
Description: "An allergy names the drug or class of drugs, in a code or in words."
Severity: #warning
Expression: "code.exists()"

Invariant: pain-1
Description: "A pain score is between 0 and 10."
Severity: #error
Expression: "value.where(extension.empty()).all($this >= 0 and $this <= 10)"

// No required bindings to codes of LOINC: a server that does not hold LOINC (HAPI, say) refuses whatever is there.

Invariant: pain-2
Description: "The scale is the numeric rating scale or the visual analogue scale."
Severity: #error
Expression: "code.coding.where(system='http://loinc.org' and (code='72514-3' or code='38214-3')).exists()"

Invariant: bf-1
Description: "Breastfeeding is stated by the answers of LOINC: currently, not currently, unknown."
Severity: #error
Expression: "value.coding.where(system='http://loinc.org' and (code='LA29252-6' or code='LA29253-4' or code='LA4489-6')).exists()"

Invariant: cp-1
Description: "What is planned is a request and what was done a procedure, never activity.detail, which has gone from FHIR R5."
Severity: #error
Expression: "activity.detail.empty()"

Invariant: cp-2
Description: "A running plan says when it began and what it treats."
Severity: #warning
Expression: "status='active' implies (period.start.exists() and addresses.exists())"

Invariant: cp-3
Description: "Contraindications point to the plan; the plan does not point back."
Severity: #error
Expression: "supportingInfo.all(reference.empty() or reference.contains('DetectedIssue').not())"

Invariant: aft-1
Description: "What is to be avoided says for how long."
Severity: #warning
Expression: "doNotPerform.where($this=true).exists() implies occurrence.exists()"

Invariant: aft-2
Description: "To contact the physician has a sign on which to do so."
Severity: #warning
Expression: "code.coding.where(system='https://w3id.org/mesofhir/CodeSystem/mesotherapy' and code='contact-physician').exists() implies asNeeded.exists()"

Invariant: rea-1
Description: "The severity is mild, moderate or severe, or is said not to be known."
Severity: #error
Expression: "extension.where(url='http://hl7.org/fhir/StructureDefinition/data-absent-reason').exists() or coding.where(system='https://w3id.org/mesofhir/CodeSystem/mesotherapy' and (code='mild' or code='moderate' or code='severe')).exists()"
