Extension: SessionNumber
Id: session-number
Title: "Number of the session"
Description: "The number of the session in its cycle, from 1."
Context: Procedure, ServiceRequest
* insert Italian([[Numero della seduta]])
* obeys ext-known
* value[x] only positiveInt
