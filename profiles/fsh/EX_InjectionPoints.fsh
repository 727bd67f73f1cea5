Extension: InjectionPoints
Id: injection-points
Title: "Number of injections"
Description: "How many injections were made."
Context: Procedure
* insert Italian([[Numero di iniezioni]])
* obeys ext-known
* value[x] only positiveInt
