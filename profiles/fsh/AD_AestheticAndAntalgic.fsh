Instance: aesthetic-and-antalgic
InstanceOf: MesotherapyProtocol
Usage: #definition
* name = "AestheticAndAntalgic"
* title = "Aesthetic and antalgic intradermotherapy, 8-15 weekly sessions"
* insert TitledInItalian([[Intradermoterapia estetica e antalgica, 8-15 sedute settimanali]])
* status = #active
* experimental = false
* description = "Intradermotherapy against cellulite (PEFS), oedema and localised fat, or against pain of joints, muscles and bones, with a 4 mm needle: weekly sessions of 15 to 20 minutes, 8 to 15 a cycle, then one session a month to maintain the effect. Allopathic or homeopathic."
* purpose = "To say which protocol a cycle follows. What a clinic published, no recommendation."
* relatedArtifact.type = #derived-from
* relatedArtifact.citation = "Public web page of an Italian clinic on aesthetic and antalgic mesotherapy (in Italian)."
* kind = #ServiceRequest
* profile = Canonical(MesotherapyCycleRequest)
* code = $local#mesotherapy-cycle "Mesotherapy cycle"
* extension[purpose][0].valueCodeableConcept = $local#aesthetic "Aesthetic treatment"
* extension[purpose][1].valueCodeableConcept = $local#antalgic "Pain relief"
* extension[approach][0].valueCodeableConcept = $local#allopathic "Allopathic mesotherapy"
* extension[approach][1].valueCodeableConcept = $local#homeopathic "Homeopathic mesotherapy"
* timingTiming.repeat.count = 8
* timingTiming.repeat.countMax = 15
* timingTiming.repeat.duration = 15
* timingTiming.repeat.durationMax = 20
* timingTiming.repeat.durationUnit = #min
* timingTiming.repeat.frequency = 1
* timingTiming.repeat.period = 1
* timingTiming.repeat.periodUnit = #wk
