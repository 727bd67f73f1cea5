ValueSet: InstructionCategories
Id: instruction-categories
Title: "Categories of instructions"
Description: "Aftercare, or preparation of a session."
* insert Italian([[Categorie delle indicazioni]])
* $local#aftercare
* $local#preparation
