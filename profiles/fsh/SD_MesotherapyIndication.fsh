Profile: MesotherapyIndication
Parent: Condition
Id: mesotherapy-indication
Title: "Indication or condition"
Description: "A diagnosis for which mesotherapy is given, or that matters to it. A withdrawn one has no clinical status (con-5). Cellulite (PEFS) is never coded as cellulitis."
* insert Profiled([[Indicazione o condizione]])
* insert Identified
* insert OfPatient
* extension contains ClinicalPhase named phase 0..1 MS
* clinicalStatus MS
* verificationStatus MS
* verificationStatus insert Says([[How sure it is; `entered-in-error` withdraws it]], [[Grado di certezza; `entered-in-error` la annulla]])
* code MS
* code from Conditions (extensible)
* code insert Says([[The diagnosis]], [[La diagnosi]])
* insert Sided
* onset[x] only dateTime
* onset[x] MS
* onset[x] insert Says([[When it began]], [[Quando è iniziata]])
* abatement[x] only dateTime
* abatement[x] MS
* abatement[x] insert Says([[When it ended]], [[Quando è finita]])
* insert Noted
* clinicalStatus insert Says([[Active or over]], [[Attiva o conclusa]])
* insert Described([[Una diagnosi per cui si fa la mesoterapia, o che è rilevante per essa. Una annullata non ha stato clinico (con-5). La cellulite estetica (PEFS) non è mai codificata come cellulite infettiva.]])
