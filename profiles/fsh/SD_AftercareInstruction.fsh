Profile: AftercareInstruction
Parent: ServiceRequest
Id: aftercare-instruction
Title: "Instruction to the patient"
Description: "One thing that the patient is to do or to avoid, before or after each session, or the sign on which to call the physician. It is part of a plan and never an order of its own, so that it floods no worklist."
* insert Profiled([[Indicazione al paziente]])
* insert Identified
* insert OfPatient
* obeys aft-1 and aft-2
* extension contains SessionWindow named window 0..1 MS
* status MS
* intent = #plan
* intent MS
* category 1..* MS
* category from InstructionCategories (extensible)
* category insert Says([[Aftercare or preparation]], [[Dopo la seduta o preparazione]])
* doNotPerform MS
* doNotPerform insert Says([[True: not to be done]], [[Vero: da non fare]])
* code MS
* code from Instructions (extensible)
* code insert Says([[What it is about]], [[Di che cosa si tratta]])
* occurrence[x] only Period
* occurrence[x] MS
* occurrence[x] insert Says([[The period of its plan]], [[Il periodo del suo piano]])
* asNeeded[x] only CodeableConcept
* asNeeded[x] MS
* asNeeded[x] from RedFlags (extensible)
* asNeeded[x] insert Says([[The sign on which to act]], [[Il segno per cui agire]])
* patientInstruction MS
* patientInstruction insert Says([[What the patient is told; in the other language by the extension `translation`]], [[Che cosa si dice al paziente; nell'altra lingua con l'estensione `translation`]])
* status insert Says([[Where it stands; `entered-in-error` withdraws it]], [[Lo stato; `entered-in-error` annulla]])
* intent insert Says([[A plan, or an order]], [[Un piano, o una prescrizione]])
* insert Described([[Una cosa che il paziente deve fare o evitare, prima o dopo ogni seduta, o il segno per cui chiamare il medico. Fa parte di un piano e non è mai una prescrizione a sé, così non riempie alcuna lista di lavoro.]])
