Instance: district-intradermal
InstanceOf: MesotherapyProtocol
Usage: #definition
* name = "DistrictIntradermal"
* title = "District intradermal therapy, 4-5 weekly sessions"
* insert TitledInItalian([[Terapia intradermica distrettuale, 4-5 sedute settimanali]])
* status = #active
* experimental = false
* description = "A combination of drugs (such as lidocaine, muscle relaxants, anti-inflammatory drugs and corticosteroids) given by micro-injections into the dermis of the painful area, weekly, 4 to 5 sessions a cycle. Low systemic exposure; considered suitable for elderly patients and patients on dialysis. Weals form at once and are gone within hours."
* purpose = "To say which protocol a cycle follows. What a clinic published, no recommendation."
* relatedArtifact.type = #derived-from
* relatedArtifact.citation = "Public web page of an Italian clinic on antalgic mesotherapy as district intradermal therapy (in Italian)."
* kind = #ServiceRequest
* profile = Canonical(MesotherapyCycleRequest)
* code = $local#mesotherapy-cycle "Mesotherapy cycle"
* extension[purpose][0].valueCodeableConcept = $local#antalgic "Pain relief"
* extension[approach][0].valueCodeableConcept = $local#allopathic "Allopathic mesotherapy"
* timingTiming.repeat.count = 4
* timingTiming.repeat.countMax = 5
* timingTiming.repeat.frequency = 1
* timingTiming.repeat.period = 1
* timingTiming.repeat.periodUnit = #wk
