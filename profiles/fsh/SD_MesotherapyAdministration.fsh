Profile: MesotherapyAdministration
Parent: MedicationAdministration
Id: mesotherapy-administration
Title: "Mesotherapy administration"
Description: "One mixture given into the skin in one session. A cream spread before it, or a mixture that the clinic recorded as given under the skin, is a MedicationAdministration too, but not of this profile. The volume that was given is stated or called unknown."
* insert Profiled([[Somministrazione mesoterapica]])
* insert Identified
* insert OfPatient
* obeys ma-1 and ma-2 and ma-3
* partOf 1..1 MS
* partOf only Reference(MesotherapySession)
* partOf insert Says([[The session]], [[La seduta]])
* status MS
* status insert Says([[Given, given in part (`stopped`), or withdrawn (`entered-in-error`)]], [[Somministrata, in parte (`stopped`), o annullata (`entered-in-error`)]])
* medication[x] only Reference(MesotherapyCocktail)
* medication[x] MS
* medication[x] insert Says([[The mixture, contained]], [[La miscela, contenuta]])
* effective[x] only Period
* effective[x] MS
* effective[x] insert Says([[When: as its session]], [[Quando: come la seduta]])
* performer MS
* performer.actor only Reference(Practitioner or PractitionerRole)
* performer.actor MS
* performer.actor insert Says([[Who gave it]], [[Chi l'ha somministrata]])
* dosage 1..1 MS
* dosage.site MS
* dosage.site from DosageSites (extensible)
* dosage.site insert Says([[The skin over the treated site]], [[La cute sopra la sede trattata]])
* dosage.route 1..1 MS
* dosage.route from Routes (required)
* dosage.route insert Says([[Into the skin]], [[Per via intradermica]])
* dosage.dose 1..1 MS
* dosage.dose insert Says([[The volume that was given, in millilitres]], [[Il volume somministrato, in millilitri]])
* dosage.dose.system = $ucum
* dosage.dose.code = #mL
* insert Noted
* performer insert Says([[Who did it]], [[Chi l'ha fatto]])
* dosage insert Says([[How much, where and how]], [[Quanto, dove e come]])
* insert Described([[Una miscela somministrata per via intradermica in una seduta. Una crema spalmata prima, o una miscela registrata come sottocutanea, è anch'essa una MedicationAdministration, ma non di questo profilo. Il volume somministrato è indicato o dichiarato non noto.]])
