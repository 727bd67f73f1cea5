Profile: PregnancyStatus
Parent: Observation
Id: pregnancy-status
Title: "Pregnancy status"
Description: "Whether the patient was pregnant, after the International Patient Summary. It is the evidence of a contraindication, or says that the question was asked and answered with no."
* insert Profiled([[Stato di gravidanza]])
* insert Identified
* insert OfPatient
* status MS
* code = $loinc#82810-3
* code MS
* effective[x] only dateTime or Period
* effective[x] MS
* effective[x] insert Says([[When it was asked, or from when until when it held]], [[Quando è stato chiesto, o per quale periodo]])
* value[x] only CodeableConcept
* value[x] 1..1 MS
* value[x] from PregnancyStatuses (required)
* value[x] insert Says([[Pregnant or not]], [[Gravidanza o no]])
* insert Performed
* insert Noted
* status insert Says([[Where it stands; `entered-in-error` withdraws it]], [[Lo stato; `entered-in-error` annulla]])
* code insert Says([[What it is about]], [[Di che cosa si tratta]])
* insert Described([[Se la paziente era in gravidanza, secondo l'International Patient Summary. È il fatto su cui si basa una controindicazione, o dice che la domanda è stata posta e la risposta è stata no.]])
