Profile: MesotherapyDrugAllergy
Parent: AllergyIntolerance
Id: mesotherapy-drug-allergy
Title: "Drug allergy, or none known"
Description: "An allergy or intolerance to a drug, or the statement that the patient was asked and none is known. Low criticality stands for a relative and high for an absolute contraindication (FHIR R4). A withdrawn one has no clinical status."
* insert Profiled([[Allergia a farmaco, o nessuna nota]])
* insert Identified
* obeys alg-1 and alg-2 and alg-3
* clinicalStatus MS
* verificationStatus MS
* verificationStatus insert Says([[How sure it is; `entered-in-error` withdraws it]], [[Grado di certezza; `entered-in-error` la annulla]])
* type MS
* category MS
* criticality MS
* code MS
* code from AllergyCodes (extensible)
* code insert Says([[The drug or class of drugs, or that none is known]], [[Il farmaco o la classe di farmaci, o che nessuna è nota]])
* patient MS
* patient insert Says([[The patient, as known to the EHR]], [[Il paziente, come noto alla cartella clinica]])
* onset[x] only dateTime
* onset[x] MS
* onset[x] insert Says([[When it first appeared]], [[Quando è comparsa la prima volta]])
* recordedDate MS
* recordedDate insert Says([[When it was recorded, or asked about]], [[Quando è stata registrata o chiesta]])
* recorder MS
* recorder insert Says([[Who recorded or asked]], [[Chi l'ha registrata o chiesta]])
* insert Noted
* reaction MS
* reaction.manifestation MS
* reaction.manifestation from Reactions (extensible)
* reaction.manifestation insert Says([[What was seen]], [[Che cosa si è osservato]])
* reaction.severity MS
* reaction.onset MS
* clinicalStatus insert Says([[Active or over]], [[Attiva o conclusa]])
* type insert Says([[Allergy or intolerance]], [[Allergia o intolleranza]])
* category insert Says([[Of a drug]], [[Di un farmaco]])
* criticality insert Says([[Low stands for a relative, high for an absolute contraindication]], [[Bassa per una controindicazione relativa, alta per una assoluta]])
* reaction insert Says([[Known reactions]], [[Reazioni note]])
* reaction.onset insert Says([[When it appeared]], [[Quando è comparsa]])
* reaction.severity insert Says([[How severe it was]], [[Quanto era grave]])
* insert Described([[Un'allergia o intolleranza a un farmaco, o la dichiarazione che il paziente è stato interrogato e nessuna è nota. Criticità bassa per una controindicazione relativa, alta per una assoluta (FHIR R4). Una annullata non ha stato clinico.]])
