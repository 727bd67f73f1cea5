Profile: MesotherapyCarePlan
Parent: CarePlan
Id: mesotherapy-careplan
Title: "Mesotherapy plan"
Description: "The plan of a mesotherapy cycle: what it treats, what is planned (requests) and what was done (procedures), what it is to reach, and what was considered. Contraindications point to it, not the other way round. Period, author and indications may be missing, since a clinic may not have recorded them; a running plan without them gives a warning."
* insert Profiled([[Piano di mesoterapia]])
* insert Identified
* insert OfPatient
* obeys cp-1 and cp-2 and cp-3
* status MS
* status insert Says([[Where the plan stands; `entered-in-error` withdraws it]], [[Stato del piano; `entered-in-error` lo annulla]])
* intent MS
* intent from PlanIntents (required)
* category 1..* MS
* category ^slicing.discriminator.type = #pattern
* category ^slicing.discriminator.path = "$this"
* category ^slicing.rules = #open
* category contains mesotherapy 1..1 MS
* category[mesotherapy] = $local#mesotherapy-plan
* category[mesotherapy] insert Says([[Says that the plan is one of mesotherapy]], [[Indica che il piano è di mesoterapia]])
* period MS
* period insert Says([[When the cycle began or is to begin, and when it ended or is to end]], [[Inizio e fine del ciclo, effettivi o previsti]])
* author only Reference(Practitioner or PractitionerRole or Organization)
* author MS
* author insert Says([[Who planned it]], [[Chi lo ha pianificato]])
* addresses only Reference(Condition)
* addresses MS
* addresses insert Says([[What it treats: the indications]], [[Che cosa tratta: le indicazioni]])
* supportingInfo only Reference(AllergyIntolerance or Condition or Consent or MedicationStatement or Observation)
* supportingInfo MS
* supportingInfo insert Says([[What matters to it: other conditions, usual medicines, consents, allergies, what was asked and not found]], [[Che cosa è rilevante: altre condizioni, farmaci abituali, consensi, allergie, esclusioni]])
* goal only Reference(PainGoal)
* goal MS
* goal insert Says([[What it is to reach]], [[Che cosa deve raggiungere]])
* activity 1..* MS
* activity.detail 0..0
* activity.reference only Reference(ServiceRequest)
* activity.reference MS
* activity.reference insert Says([[What is planned: the cycle, maintenance, combined therapies, alternatives]], [[Che cosa è previsto: ciclo, mantenimento, terapie associate, alternative]])
* activity.outcomeReference only Reference(MesotherapyCycle)
* activity.outcomeReference MS
* activity.outcomeReference insert Says([[What was done: the cycle]], [[Che cosa è stato fatto: il ciclo]])
* insert Noted
* intent insert Says([[A plan, or an order]], [[Un piano, o una prescrizione]])
* category insert Says([[What kind it is]], [[Di che tipo è]])
* activity insert Says([[What is planned, and what was done]], [[Che cosa è previsto e che cosa è stato fatto]])
* insert Described([[Il piano di un ciclo di mesoterapia: che cosa tratta, che cosa è previsto (richieste) e che cosa è stato fatto (procedure), che cosa deve raggiungere e che cosa si è considerato. Le controindicazioni rimandano al piano, non viceversa. Periodo, autore e indicazioni possono mancare, perché la clinica può non averli registrati; un piano in corso che ne è privo dà un avviso.]])
