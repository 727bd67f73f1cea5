Profile: AftercarePlan
Parent: CarePlan
Id: aftercare-plan
Title: "Aftercare plan"
Description: "Preparation and aftercare of a cycle, or of one session where the clinic states another for it. It lists its instructions; they do not point back."
* insert Profiled([[Piano delle indicazioni al paziente]])
* insert Identified
* insert OfPatient
* obeys cp-1
* basedOn 1..1 MS
* basedOn only Reference(MesotherapyCarePlan)
* basedOn insert Says([[The plan of the cycle]], [[Il piano del ciclo]])
* status MS
* intent = #plan
* intent MS
* category 1..* MS
* category ^slicing.discriminator.type = #pattern
* category ^slicing.discriminator.path = "$this"
* category ^slicing.rules = #open
* category contains aftercare 1..1 MS
* category[aftercare] = $local#aftercare
* period MS
* period insert Says([[From when until when it applies]], [[Per quale periodo vale]])
* author only Reference(Practitioner or PractitionerRole or Organization)
* author MS
* author insert Says([[Who gave it]], [[Chi le ha date]])
* supportingInfo only Reference(Procedure or ServiceRequest)
* supportingInfo MS
* supportingInfo insert Says([[The one session that it is for]], [[La sola seduta a cui si riferisce]])
* activity MS
* activity.detail 0..0
* activity.reference only Reference(AftercareInstruction)
* activity.reference MS
* activity.reference insert Says([[The instructions]], [[Le indicazioni]])
* insert Noted
* status insert Says([[Where it stands; `entered-in-error` withdraws it]], [[Lo stato; `entered-in-error` annulla]])
* intent insert Says([[A plan, or an order]], [[Un piano, o una prescrizione]])
* category insert Says([[What kind it is]], [[Di che tipo è]])
* category[aftercare] insert Says([[Says that it is aftercare]], [[Indica che sono indicazioni per il dopo]])
* activity insert Says([[What is planned, and what was done]], [[Che cosa è previsto e che cosa è stato fatto]])
* insert Described([[Preparazione e indicazioni per il dopo di un ciclo, o di una sola seduta quando la clinica ne prevede altre. Elenca le sue indicazioni; esse non rimandano al piano.]])
