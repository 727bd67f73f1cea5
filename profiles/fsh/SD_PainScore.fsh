Profile: PainScore
Parent: Observation
Id: pain-score
Title: "Pain score"
Description: "How strong the pain was, from 0 to 10, on a numeric or a visual analogue scale. The score is stated or called unknown; when it was taken may be missing."
* insert Profiled([[Punteggio del dolore]])
* insert Identified
* insert OfPatient
* obeys pain-2
* extension contains AssessmentPoint named point 0..1 MS
* basedOn 1..1 MS
* basedOn only Reference(MesotherapyCycleRequest)
* basedOn insert Says([[The cycle]], [[Il ciclo]])
* partOf 0..1 MS
* partOf only Reference(MesotherapySession)
* partOf insert Says([[The session that it belongs to]], [[La seduta a cui appartiene]])
* status MS
* category 1..* MS
* category ^slicing.discriminator.type = #pattern
* category ^slicing.discriminator.path = "$this"
* category ^slicing.rules = #open
* category contains survey 1..1 MS
* category[survey] = http://terminology.hl7.org/CodeSystem/observation-category#survey
* code MS
* code from PainScales (extensible)
* code insert Says([[The scale]], [[La scala]])
* effective[x] only dateTime
* effective[x] MS
* effective[x] insert Says([[When it was taken]], [[Quando è stato rilevato]])
* value[x] only Quantity
* value[x] 1..1 MS
* value[x] obeys pain-1
* value[x] insert Says([[The score, from 0 to 10]], [[Il punteggio, da 0 a 10]])
* valueQuantity.system = $ucum
* valueQuantity.code = #{score}
* insert Noted
* status insert Says([[Where it stands; `entered-in-error` withdraws it]], [[Lo stato; `entered-in-error` annulla]])
* category insert Says([[What kind it is]], [[Di che tipo è]])
* category[survey] insert Says([[Says that the patient was asked]], [[Indica che il paziente è stato interrogato]])
* insert Described([[Quanto era forte il dolore, da 0 a 10, su una scala numerica o visiva analogica. Il punteggio è indicato o dichiarato non noto; il momento può mancare.]])
