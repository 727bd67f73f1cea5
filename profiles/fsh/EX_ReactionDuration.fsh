Extension: ReactionDuration
Id: reaction-duration
Title: "Duration of the reaction"
Description: "How long the illness that the session caused lasted."
Context: Condition
* insert Italian([[Durata della reazione]])
* value[x] only Quantity
* value[x] 1..1
* valueQuantity.system = $ucum
