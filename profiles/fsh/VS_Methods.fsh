ValueSet: Methods
Id: methods
Title: "Methods of a session"
Description: "How the injections are made, and that they are intradermal (IDINJ), which is written beside each technique."
* insert Italian([[Metodi di una seduta]])
* include codes from valueset Techniques
* $route#IDINJ "Injection, intradermal"
