Instance: analgesic-outpatient
InstanceOf: MesotherapyProtocol
Usage: #definition
* name = "AnalgesicOutpatient"
* title = "Analgesic outpatient mesotherapy, about 10 minutes a session"
* insert TitledInItalian([[Mesoterapia analgesica ambulatoriale, circa 10 minuti a seduta]])
* status = #active
* experimental = false
* description = "Painful muscle contractures such as neck pain, low back pain or tension-type headache, tendinopathies such as epicondylitis and tendinitis of the knee or heel, whiplash and ankle sprains: multiple injections with a short needle (4 to 6 mm) into the superficial layer of the skin, about 10 minutes a session, usually weekly, 4 to 6 sessions a cycle; frequency and duration vary with the disease, the response and the phase. Combined with laser, hyperthermia or physiotherapy where useful."
* purpose = "To say which protocol a cycle follows. What a clinic published, no recommendation."
* relatedArtifact.type = #derived-from
* relatedArtifact.citation = "Public web page of an Italian clinic on mesotherapy (in English)."
* kind = #ServiceRequest
* profile = Canonical(MesotherapyCycleRequest)
* code = $local#mesotherapy-cycle "Mesotherapy cycle"
* extension[purpose][0].valueCodeableConcept = $local#antalgic "Pain relief"
* timingTiming.repeat.count = 4
* timingTiming.repeat.countMax = 6
* timingTiming.repeat.duration = 10
* timingTiming.repeat.durationUnit = #min
* timingTiming.repeat.frequency = 1
* timingTiming.repeat.period = 1
* timingTiming.repeat.periodUnit = #wk
