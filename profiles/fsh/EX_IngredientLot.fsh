Extension: IngredientLot
Id: ingredient-lot
Title: "Lot of the ingredient"
Description: "The lot number of the ampoule."
Context: Medication.ingredient
* insert Italian([[Lotto dell'ingrediente]])
* obeys ext-known
* value[x] only string
