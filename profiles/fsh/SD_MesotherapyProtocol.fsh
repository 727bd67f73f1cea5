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
