Profile: PainGoal
Parent: Goal
Id: pain-goal
Title: "Pain goal"
Description: "What a cycle is to reach: in words, and as a pain score by a date. The words are stated or called unknown."
* insert Profiled([[Obiettivo sul dolore]])
* insert Identified
* insert OfPatient
* lifecycleStatus MS
* achievementStatus MS
* achievementStatus insert Says([[How far it was reached]], [[In che misura è stato raggiunto]])
* description MS
* description insert Says([[The goal in words]], [[L'obiettivo a parole]])
* start[x] only date
* start[x] MS
* target MS
* target ^slicing.discriminator.type = #pattern
* target ^slicing.discriminator.path = "measure"
* target ^slicing.rules = #open
* target contains pain 0..1 MS
* target[pain].measure 1..1 MS
* target[pain].measure = $loinc#72514-3
* target[pain].detail[x] only Quantity
* target[pain].detail[x] MS
* target[pain].detail[x] insert Says([[The pain score to reach]], [[Il punteggio da raggiungere]])
* target[pain].detailQuantity.system = $ucum
* target[pain].detailQuantity.code = #{score}
* target[pain].due[x] only date
* target[pain].due[x] MS
* target[pain].due[x] insert Says([[By when]], [[Entro quando]])
* addresses MS
* addresses insert Says([[The cycle]], [[Il ciclo]])
* insert Noted
* lifecycleStatus insert Says([[Where it stands; `entered-in-error` withdraws it]], [[Lo stato; `entered-in-error` lo annulla]])
* start[x] insert Says([[From when it is pursued]], [[Da quando è perseguito]])
* target insert Says([[What is measured]], [[Che cosa si misura]])
* target[pain] insert Says([[The pain score]], [[Il punteggio del dolore]])
* target[pain].measure insert Says([[The scale]], [[La scala]])
* insert Described([[Che cosa un ciclo deve raggiungere: a parole, e come punteggio del dolore entro una data. Le parole sono indicate o dichiarate non note.]])
