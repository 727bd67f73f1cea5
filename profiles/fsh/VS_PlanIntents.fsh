ValueSet: PlanIntents
Id: plan-intents
Title: "Intents of a plan or request"
Description: "A plan for the patient, or an order."
* insert Italian([[Intenti di un piano o di una richiesta]])
* http://hl7.org/fhir/request-intent#plan "Plan"
* http://hl7.org/fhir/request-intent#order "Order"
