Extension: PlannedPeriod
Id: planned-period
Title: "Planned period"
Description: "From when until when maintenance or repetition is planned; how often is in the timing."
Context: ServiceRequest
* insert Italian([[Periodo previsto]])
* value[x] only Period
* value[x] 1..1
