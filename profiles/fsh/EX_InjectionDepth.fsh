Extension: InjectionDepth
Id: injection-depth
Title: "Depth of the injections"
Description: "How deep the injections went, in millimetres."
Context: Procedure
* insert Italian([[Profondità delle iniezioni]])
* value[x] only Quantity
* value[x] 1..1
* valueQuantity.system = $ucum
* valueQuantity.code = #mm
