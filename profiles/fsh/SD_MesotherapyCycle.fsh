Profile: MesotherapyCycle
Parent: Procedure
Id: mesotherapy-cycle
Title: "Mesotherapy cycle"
Description: "What became of a cycle of sessions: begun, held, stopped and why, done, with which outcome. A cycle that is only planned has none. Dates, indications and reasons may be missing where a clinic did not record them; that gives a warning."
* insert Profiled([[Ciclo di mesoterapia]])
* insert Identified
* insert OfPatient
* obeys cyc-1 and cyc-2 and cyc-3 and cyc-4
* extension contains
    TreatmentPurpose named purpose 0..1 MS and
    TreatmentApproach named approach 0..1 MS and
    CyclePhase named phase 0..1 MS and
    SessionsDelivered named sessionsDelivered 0..1 MS
* basedOn 1..* MS
* basedOn only Reference(MesotherapyCycleRequest)
* basedOn insert Says([[What was planned]], [[Che cosa era previsto]])
* status MS
* status insert Says([[What became of the cycle; `entered-in-error` withdraws it]], [[Stato del ciclo; `entered-in-error` lo annulla]])
* statusReason MS
* statusReason from StatusReasons (extensible)
* statusReason insert Says([[Why it was stopped, held or not done]], [[Perché è stato interrotto, sospeso o non eseguito]])
* code 1..1 MS
* code = $local#mesotherapy-cycle
* code insert Says([[Says that it is a cycle of mesotherapy]], [[Indica che è un ciclo di mesoterapia]])
* performed[x] only Period
* performed[x] MS
* performed[x] insert Says([[When it began and ended]], [[Quando è iniziato e finito]])
* reasonReference only Reference(Condition)
* reasonReference MS
* reasonReference insert Says([[What it was given for: the indications]], [[Per che cosa: le indicazioni]])
* insert Sided
* outcome MS
* outcome from Outcomes (extensible)
* outcome insert Says([[What it came to]], [[A che cosa ha portato]])
* insert Noted
* insert Described([[Che cosa è stato di un ciclo di sedute: iniziato, sospeso, interrotto e perché, concluso, con quale esito. Un ciclo solo previsto non ne ha. Date, indicazioni e motivi possono mancare dove la clinica non li ha registrati; ne segue un avviso.]])
