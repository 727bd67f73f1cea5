Profile: MesotherapySessionRequest
Parent: ServiceRequest
Id: mesotherapy-session-request
Title: "Mesotherapy session, booked"
Description: "The appointment of one session: for when it is or was booked, and the earlier dates if it was moved. It stays when the session is done, and the session is based on it."
* insert Profiled([[Seduta di mesoterapia prenotata]])
* insert Identified
* insert OfPatient
* extension contains
    SessionNumber named number 0..1 MS and
    EarlierDate named earlierDate 0..* MS
* basedOn 1..1 MS
* basedOn only Reference(MesotherapyCycleRequest)
* basedOn insert Says([[The cycle that was requested]], [[Il ciclo richiesto]])
* status MS
* intent = #plan
* intent MS
* code 1..1 MS
* code = $local#mesotherapy-session
* code insert Says([[Says that it is a session of mesotherapy]], [[Indica che è una seduta di mesoterapia]])
* occurrence[x] only Period
* occurrence[x] MS
* occurrence[x] insert Says([[For when it is or was booked]], [[Per quando è o era prenotata]])
* performer only Reference(Practitioner or PractitionerRole or Organization)
* performer MS
* performer insert Says([[Who is to perform it]], [[Chi la eseguirà]])
* locationCode MS
* locationCode insert Says([[Where, in words]], [[Dove, a parole]])
* insert Sided
* insert Noted
* status insert Says([[Where it stands; `entered-in-error` withdraws it]], [[Lo stato; `entered-in-error` annulla]])
* intent insert Says([[A plan, or an order]], [[Un piano, o una prescrizione]])
* insert Described([[L'appuntamento di una seduta: per quando è o era prenotata, e le date precedenti se è stata spostata. Resta anche quando la seduta è eseguita, e la seduta vi si basa.]])
