Extension: EarlierDate
Id: earlier-date
Title: "Earlier date"
Description: "A date for which the session was booked before it was moved."
Context: ServiceRequest
* insert Italian([[Data precedente]])
* obeys ext-known
* value[x] only dateTime
