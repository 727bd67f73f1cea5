Extension: SessionWindow
Id: session-window
Title: "Around a session"
Description: "When the instruction applies: before or after each session of the plan's period, and for how long."
Context: ServiceRequest
* insert Italian([[Rispetto alla seduta]])
* extension contains
    relation 0..1 and
    duration 0..1
* extension[relation] obeys ext-known
* extension[relation].value[x] only code
* extension[relation].value[x] from SessionRelations (required)
* extension[relation] ^short = "Before or after the session"
* extension[duration].value[x] only Quantity
* extension[duration].value[x] 1..1
* extension[duration].valueQuantity.system = $ucum
* extension[duration] ^short = "For how long"
