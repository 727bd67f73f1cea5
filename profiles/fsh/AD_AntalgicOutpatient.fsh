Instance: antalgic-outpatient
InstanceOf: MesotherapyProtocol
Usage: #definition
* name = "AntalgicOutpatient"
* title = "Antalgic outpatient mesotherapy, 4-6 weekly sessions"
* insert TitledInItalian([[Mesoterapia antalgica ambulatoriale, 4-6 sedute settimanali]])
* status = #active
* experimental = false
* description = "Painful muscle contractures, low back pain, tension-type headache, tendinopathies and post-traumatic pain, treated by a physician in an outpatient clinic: multiple injections with a short needle (4 to 6 mm) into the superficial layer of the skin, about 10 minutes a session, weekly, 4 to 6 sessions a cycle; frequency and duration vary with the disease, the response and the phase. Not with wounds in the area, an allergy to the drugs used, in pregnancy or while breastfeeding. No preparation; normal activities before and after."
* purpose = "To say which protocol a cycle follows. What a clinic published, no recommendation."
* relatedArtifact.type = #derived-from
* relatedArtifact.citation = "Public web page of an Italian clinic on antalgic mesotherapy (in Italian)."
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
