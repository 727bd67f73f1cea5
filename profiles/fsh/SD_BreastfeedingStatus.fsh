Profile: BreastfeedingStatus
Parent: Observation
Id: breastfeeding-status
Title: "Breastfeeding status"
Description: "Whether the patient was breastfeeding. It is the evidence of a contraindication, or says that the question was asked and answered with no."
* insert Profiled([[Stato di allattamento]])
* insert Identified
* insert OfPatient
* obeys bf-1
* status MS
* code = $loinc#63895-7
* code MS
* effective[x] only dateTime or Period
* effective[x] MS
* effective[x] insert Says([[When it was asked, or from when until when it held]], [[Quando è stato chiesto, o per quale periodo]])
* value[x] only CodeableConcept
* value[x] 1..1 MS
* value[x] from BreastfeedingStatuses (extensible)
* value[x] insert Says([[Breastfeeding or not]], [[Allattamento o no]])
* insert Performed
* insert Noted
* status insert Says([[Where it stands; `entered-in-error` withdraws it]], [[Lo stato; `entered-in-error` annulla]])
* code insert Says([[What it is about]], [[Di che cosa si tratta]])
* insert Described([[Se la paziente allattava. È il fatto su cui si basa una controindicazione, o dice che la domanda è stata posta e la risposta è stata no.]])
