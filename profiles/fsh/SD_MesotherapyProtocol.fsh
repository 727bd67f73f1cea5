Profile: MesotherapyProtocol
Parent: ActivityDefinition
Id: mesotherapy-protocol
Title: "Mesotherapy protocol"
Description: "A protocol as a public page of a clinic describes it: how many sessions, how often, how long. Protocols contradict each other; a cycle says which one it follows, if any. A description of practice, no recommendation."
* insert Italian([[Protocollo di mesoterapia]])
* ^purpose = "Must-support: the adapter names the protocol of a cycle by its canonical URL."
* extension contains
    TreatmentPurpose named purpose 1..* MS and
    TreatmentApproach named approach 0..* MS
* url 1..1 MS
* title 1..1 MS
* description 1..1 MS
* relatedArtifact 1..* MS
* relatedArtifact insert Says([[Where it was read]], [[Dove è stato letto]])
* kind 1..1 MS
* kind = #ServiceRequest
* profile 1..1 MS
* code 1..1 MS
* code = $local#mesotherapy-cycle
* timing[x] only Timing
* timing[x] 1..1 MS
* timing[x] insert Says([[How many sessions, how often, how long]], [[Quante sedute, ogni quanto, di che durata]])
* timingTiming.repeat 1..1
* timingTiming obeys req-1
* bodySite MS
* bodySite from Sites (extensible)
* url insert Says([[Its canonical URL, by which a cycle names it]], [[URL canonico con cui un ciclo lo nomina]])
* title insert Says([[What people call it]], [[Come lo si chiama]])
* description insert Says([[What the page says]], [[Che cosa dice la pagina]])
* kind insert Says([[It describes a request]], [[Descrive una richiesta]])
* profile insert Says([[Of which profile the request is]], [[Di quale profilo è la richiesta]])
* code insert Says([[A cycle of mesotherapy]], [[Un ciclo di mesoterapia]])
* bodySite insert Says([[Where]], [[Dove]])
* insert Described([[Un protocollo come lo descrive la pagina pubblica di una clinica: quante sedute, ogni quanto, di che durata. I protocolli si contraddicono; un ciclo dice quale segue, se ne segue uno. Descrive una pratica, non la raccomanda.]])
