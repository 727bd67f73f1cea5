Extension: HeldPeriod
Id: held-period
Title: "Period in which it held"
Description: "From when until when the contraindication held; when it was found is identifiedDateTime."
Context: DetectedIssue
* insert Italian([[Periodo di validità]])
* value[x] only Period
* value[x] 1..1
