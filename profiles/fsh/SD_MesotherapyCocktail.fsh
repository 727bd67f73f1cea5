Profile: MesotherapyCocktail
Parent: Medication
Id: mesotherapy-cocktail
Title: "Mesotherapy mixture"
Description: "What was injected: the drugs and diluents of one mixture, contained in its administration. Amounts are those of the whole mixture. Composition, strengths and volumes may be missing where a clinic did not record them (a homeopathic mixture has no strengths). It records what was given and recommends nothing."
* insert Profiled([[Miscela mesoterapica]])
* code MS
* code insert Says([[What the clinic calls the mixture]], [[Come la clinica chiama la miscela]])
* amount MS
* amount insert Says([[The volume that was prepared, of one mixture]], [[Il volume preparato, per una miscela]])
* amount.numerator.system = $ucum
* amount.numerator.code = #mL
* amount.denominator.value = 1
* ingredient MS
* ingredient.extension contains
    IngredientVolume named volume 0..1 MS and
    IngredientLot named lot 0..1 MS
* ingredient.item[x] only CodeableConcept
* ingredient.item[x] MS
* ingredient.item[x] from Substances (extensible)
* ingredient.item[x] insert Says([[The drug or diluent]], [[Il farmaco o il diluente]])
* ingredient.isActive MS
* ingredient.isActive insert Says([[Whether it acts, or only dilutes]], [[Se agisce o solo diluisce]])
* ingredient.strength MS
* ingredient.strength insert Says([[How much of it the whole mixture holds]], [[Quanto ne contiene l'intera miscela]])
* ingredient.strength.numerator.system = $ucum
* ingredient.strength.denominator.value = 1
* batch MS
* batch.lotNumber MS
* batch.lotNumber insert Says([[Lot number of the mixture]], [[Lotto della miscela]])
* batch.expirationDate MS
* batch.expirationDate insert Says([[When the lot expires]], [[Scadenza del lotto]])
* ingredient insert Says([[The drugs and diluents]], [[I farmaci e i diluenti]])
* batch insert Says([[The lot]], [[Il lotto]])
* insert Described([[Che cosa è stato iniettato: i farmaci e i diluenti di una miscela, contenuta nella sua somministrazione. Le quantità sono dell'intera miscela. Composizione, dosi e volumi possono mancare dove la clinica non li ha registrati (una miscela omeopatica non ha dosi). Registra ciò che è stato dato e non raccomanda nulla.]])
