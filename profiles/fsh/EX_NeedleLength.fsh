Extension: NeedleLength
Id: needle-length
Title: "Length of the needle"
Description: "The length of the needle, in millimetres."
Context: Procedure
* insert Italian([[Lunghezza dell'ago]])
* value[x] only Quantity
* value[x] 1..1
* valueQuantity.system = $ucum
* valueQuantity.code = #mm
