Profile: SkinReaction
Parent: Observation
Id: skin-reaction
Title: "Reaction to a session"
Description: "An expected effect of a session: a weal, redness, a bruise, pain, with when it appeared, how long it lasted and how severe it was. Infections and allergic reactions are Conditions, due to the session. No time window is set: some infections show after weeks."
* insert Profiled([[Reazione alla seduta]])
* insert Identified
* insert OfPatient
* partOf 1..1 MS
* partOf only Reference(MesotherapySession)
* partOf insert Says([[The session that caused it]], [[La seduta che l'ha causata]])
* status MS
* code = $local#skin-reaction
* code MS
* effective[x] only dateTime
* effective[x] MS
* effective[x] insert Says([[When it appeared]], [[Quando è comparsa]])
* value[x] only CodeableConcept
* value[x] MS
* value[x] from Reactions (extensible)
* value[x] insert Says([[What it was]], [[Che cosa era]])
* component MS
* component ^slicing.discriminator.type = #pattern
* component ^slicing.discriminator.path = "code"
* component ^slicing.rules = #open
* component contains
    duration 0..1 MS and
    severity 0..1 MS
* component[duration].code = $local#reaction-duration
* component[duration].value[x] only Quantity
* component[duration].value[x] MS
* component[duration].value[x] insert Says([[How long it lasted]], [[Quanto è durata]])
* component[duration].valueQuantity.system = $ucum
* component[severity].code = $local#reaction-severity
* component[severity].value[x] only CodeableConcept
* component[severity].value[x] MS
* component[severity].value[x] obeys rea-1
* component[severity].value[x] from Severities (preferred)
* component[severity].value[x] insert Says([[How severe it was]], [[Quanto era grave]])
* insert Noted
* status insert Says([[Where it stands; `entered-in-error` withdraws it]], [[Lo stato; `entered-in-error` annulla]])
* code insert Says([[What it is about]], [[Di che cosa si tratta]])
* component insert Says([[More about it]], [[Altri particolari]])
* component[duration] insert Says([[How long it lasted]], [[Quanto è durata]])
* component[severity] insert Says([[How severe it was]], [[Quanto era grave]])
* insert Described([[Un effetto atteso di una seduta: un pomfo, un arrossamento, un livido, dolore, con quando è comparso, quanto è durato e quanto era grave. Infezioni e reazioni allergiche sono Condition, dovute alla seduta. Non c'è una finestra di tempo: alcune infezioni compaiono dopo settimane.]])
