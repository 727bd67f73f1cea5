ValueSet: AllergyCodes
Id: allergy-codes
Title: "What an allergy is to"
Description: "Drugs and classes of drugs, and the statements that no allergy is known."
* insert Italian([[Sostanze di un'allergia]])
* include codes from valueset Substances
* include codes from valueset NoKnown
