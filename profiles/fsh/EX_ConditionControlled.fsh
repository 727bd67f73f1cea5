Extension: ConditionControlled
Id: condition-controlled
Title: "Under control"
Description: "Whether the disease or the therapy that it rests on is under control."
Context: DetectedIssue
* insert Italian([[Sotto controllo]])
* obeys ext-known
* value[x] only boolean
