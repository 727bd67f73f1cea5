Extension: NeedleGauge
Id: needle-gauge
Title: "Gauge of the needle"
Description: "The gauge of the needle (27 for 27 G)."
Context: Procedure
* insert Italian([[Calibro dell'ago]])
* obeys ext-known
* value[x] only positiveInt
