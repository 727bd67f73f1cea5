Profile: MesotherapyCycleRequest
Parent: ServiceRequest
Id: mesotherapy-cycle-request
Title: "Mesotherapy cycle, requested"
Description: "What was planned or ordered: how many sessions, how often, how long, where and for what, and by which protocol. Maintenance sessions and a repeated cycle are requests of their own, based on the cycle's. The cycle's number of sessions stands here and nowhere else."
* insert Profiled([[Ciclo di mesoterapia richiesto]])
* insert Identified
* insert OfPatient
* extension contains
    CyclePhase named phase 0..1 MS and
    TreatmentPurpose named purpose 0..1 MS and
    TreatmentApproach named approach 0..1 MS and
    PlannedPeriod named plannedPeriod 0..1 MS
* instantiatesCanonical 0..1 MS
* instantiatesCanonical insert Says([[The protocol that it follows]], [[Il protocollo che segue]])
* basedOn only Reference(MesotherapyCycleRequest)
* basedOn MS
* basedOn insert Says([[The cycle that it continues; never the plan, which lists it]], [[Il ciclo che continua; mai il piano, che lo elenca]])
* status MS
* intent MS
* intent from PlanIntents (required)
* code 1..1 MS
* code = $local#mesotherapy-cycle
* code insert Says([[Says that it is a cycle of mesotherapy]], [[Indica che è un ciclo di mesoterapia]])
* occurrence[x] only Timing
* occurrence[x] MS
* occurrence[x] insert Says([[How many sessions, how often, how long]], [[Quante sedute, ogni quanto, di che durata]])
* occurrenceTiming obeys req-1
* occurrenceTiming.repeat MS
* occurrenceTiming.repeat.count MS
* occurrenceTiming.repeat.count insert Says([[Number of sessions, or the least of a range]], [[Numero di sedute, o il minimo di un intervallo]])
* occurrenceTiming.repeat.countMax MS
* occurrenceTiming.repeat.countMax insert Says([[The most of that range]], [[Il massimo di quell'intervallo]])
* occurrenceTiming.repeat.duration MS
* occurrenceTiming.repeat.duration insert Says([[Length of a session, or the least]], [[Durata di una seduta, o la minima]])
* occurrenceTiming.repeat.durationMax MS
* occurrenceTiming.repeat.durationMax insert Says([[The longest]], [[La durata massima]])
* occurrenceTiming.repeat.durationUnit = #min
* occurrenceTiming.repeat.frequency MS
* occurrenceTiming.repeat.frequency = 1
* occurrenceTiming.repeat.period MS
* occurrenceTiming.repeat.period insert Says([[One session every so many units]], [[Una seduta ogni tante unità]])
* occurrenceTiming.repeat.periodMax MS
* occurrenceTiming.repeat.periodMax insert Says([[The most of that interval]], [[Il massimo di quell'intervallo]])
* occurrenceTiming.repeat.periodUnit MS
* occurrenceTiming.repeat.periodUnit from Intervals (required)
* requester only Reference(Practitioner or PractitionerRole or Organization)
* requester MS
* requester insert Says([[Who planned it]], [[Chi lo ha pianificato]])
* reasonReference only Reference(Condition)
* reasonReference MS
* reasonReference insert Says([[What it is for: the indications]], [[Per che cosa: le indicazioni]])
* insert Sided
* insert Noted
* status insert Says([[Where it stands; `entered-in-error` withdraws it]], [[Lo stato; `entered-in-error` annulla]])
* intent insert Says([[A plan, or an order]], [[Un piano, o una prescrizione]])
* occurrenceTiming.repeat insert Says([[How many, how often, how long]], [[Quante, ogni quanto, di che durata]])
* occurrenceTiming.repeat.frequency insert Says([[One session in each interval]], [[Una seduta per ogni intervallo]])
* occurrenceTiming.repeat.periodUnit insert Says([[Days, weeks or months]], [[Giorni, settimane o mesi]])
* insert Described([[Che cosa era previsto o prescritto: quante sedute, ogni quanto, di che durata, dove e per che cosa, e secondo quale protocollo. Le sedute di mantenimento e la ripetizione di un ciclo sono richieste a sé, basate su quella del ciclo. Il numero di sedute sta qui e in nessun altro luogo.]])
