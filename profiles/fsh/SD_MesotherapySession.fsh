Profile: MesotherapySession
Parent: Procedure
Id: mesotherapy-session
Title: "Mesotherapy session"
Description: "One session of a cycle: what was done, where, how and by whom, or that it was not done and why. It is part of its cycle; a session that is only booked is a request. A session that was not done has `not-performed` in place of its dates. What a good record of a completed session states (date, site, physician, reason for stopping) gives a warning where it is missing, since a clinic may honestly not have recorded it."
* insert Profiled([[Seduta di mesoterapia]])
* insert Identified
* insert OfPatient
* obeys ses-1 and ses-2 and ses-3 and ses-4 and ses-5 and ses-6 and ses-7 and ses-8
* extension contains
    SessionNumber named number 0..1 MS and
    http://hl7.org/fhir/StructureDefinition/procedure-method named method 0..1 MS and
    InjectionDepth named depth 0..1 MS and
    InjectionPoints named points 0..1 MS and
    NeedleLength named needleLength 0..1 MS and
    NeedleGauge named needleGauge 0..1 MS
* extension[method].value[x] from Methods (extensible)
* extension[method] insert Says([[How the injections were made, and that they were intradermal (IDINJ)]], [[Come sono state fatte le iniezioni, e che erano intradermiche (IDINJ)]])
* basedOn only Reference(MesotherapySessionRequest)
* basedOn MS
* basedOn insert Says([[The appointment]], [[L'appuntamento]])
* partOf 1..1 MS
* partOf only Reference(MesotherapyCycle)
* partOf insert Says([[The cycle]], [[Il ciclo]])
* status MS
* status insert Says([[What became of the session; `entered-in-error` withdraws it]], [[Stato della seduta; `entered-in-error` la annulla]])
* statusReason MS
* statusReason from StatusReasons (extensible)
* statusReason insert Says([[Why it was stopped or not done]], [[Perché è stata interrotta o non eseguita]])
* code 1..1 MS
* code = $local#mesotherapy-session
* code insert Says([[Says that it is a session of mesotherapy]], [[Indica che è una seduta di mesoterapia]])
* encounter MS
* encounter insert Says([[The visit in which it took place]], [[La visita in cui è avvenuta]])
* performed[x] only Period
* performed[x] MS
* performed[x] insert Says([[When it began and ended; `not-performed` where it was not done]], [[Quando è iniziata e finita; `not-performed` se non eseguita]])
* performer MS
* performer.actor only Reference(Practitioner or PractitionerRole or Organization)
* performer.actor MS
* performer.actor insert Says([[Who performed it]], [[Chi l'ha eseguita]])
* location MS
* location insert Says([[Where, in words]], [[Dove, a parole]])
* insert Sided
* complication MS
* complication from Reactions (extensible)
* complication insert Says([[Unexpected effects; the expected ones are observations]], [[Effetti inattesi; quelli attesi sono osservazioni]])
* followUp MS
* followUp insert Says([[What is to be done afterwards, in words]], [[Che cosa fare dopo, a parole]])
* usedCode MS
* usedCode insert Says([[The needle; its length and gauge are extensions]], [[L'ago; lunghezza e calibro sono estensioni]])
* insert Noted
* performer insert Says([[Who did it]], [[Chi l'ha fatto]])
* insert Described([[Una seduta di un ciclo: che cosa è stato fatto, dove, come e da chi, o che non è stata eseguita e perché. Fa parte del suo ciclo; una seduta solo prenotata è una richiesta. Una seduta non eseguita ha `not-performed` al posto delle date. Ciò che una buona registrazione di una seduta eseguita contiene (data, sede, medico, motivo di un'interruzione) dà un avviso dove manca, perché la clinica può non averlo registrato.]])
