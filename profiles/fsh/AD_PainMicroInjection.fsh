Instance: pain-micro-injection
InstanceOf: MesotherapyProtocol
Usage: #definition
* name = "PainMicroInjection"
* title = "Micro-injections for musculotendinous pain, 10-15 minutes a session"
* insert TitledInItalian([[Microiniezioni per il dolore muscolo-tendineo, 10-15 minuti a seduta]])
* status = #active
* experimental = false
* description = "Musculotendinous pain, localised osteoarthritis, contractures, outcomes of injuries and some local circulatory disorders: superficial micro-injections with very thin needles, 10 to 15 minutes a session, for example once a week for 4 to 6 weeks, with periodic boosters. A physician asks about allergies, therapies and diseases before. Not with an allergy to the drugs used, an infection of the skin in the area, a coagulation disorder or anticoagulants out of control; in pregnancy and while breastfeeding not with some drugs. Aftercare for 24 hours, with warning signs on which to call."
* purpose = "To say which protocol a cycle follows. What a clinic published, no recommendation."
* relatedArtifact.type = #derived-from
* relatedArtifact.citation = "Public web page of an Italian clinic on micro-injections against pain (in Italian)."
* kind = #ServiceRequest
* profile = Canonical(MesotherapyCycleRequest)
* code = $local#mesotherapy-cycle "Mesotherapy cycle"
* extension[purpose][0].valueCodeableConcept = $local#antalgic "Pain relief"
* timingTiming.repeat.count = 4
* timingTiming.repeat.countMax = 6
* timingTiming.repeat.duration = 10
* timingTiming.repeat.durationMax = 15
* timingTiming.repeat.durationUnit = #min
* timingTiming.repeat.frequency = 1
* timingTiming.repeat.period = 1
* timingTiming.repeat.periodUnit = #wk
