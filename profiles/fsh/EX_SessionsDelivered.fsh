Extension: SessionsDelivered
Id: sessions-delivered
Title: "Sessions delivered"
Description: "How many sessions of the cycle were delivered, as the clinic counts."
Context: Procedure
* insert Italian([[Sedute eseguite]])
* obeys ext-known
* value[x] only unsignedInt
