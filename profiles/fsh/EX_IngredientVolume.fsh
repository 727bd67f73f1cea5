Extension: IngredientVolume
Id: ingredient-volume
Title: "Volume of the ingredient"
Description: "The volume that the ingredient brings into the mixture, in millilitres."
Context: Medication.ingredient
* insert Italian([[Volume dell'ingrediente]])
* value[x] only Quantity
* value[x] 1..1
* valueQuantity.system = $ucum
* valueQuantity.code = #mL
