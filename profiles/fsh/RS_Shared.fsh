// What all profiles share. Texts stand in English and Italian side by side.

RuleSet: Italian(title)
* ^title.extension[0].url = "http://hl7.org/fhir/StructureDefinition/translation"
* ^title.extension[0].extension[0].url = "lang"
* ^title.extension[0].extension[0].valueCode = #it
* ^title.extension[0].extension[1].url = "content"
* ^title.extension[0].extension[1].valueString = "{title}"

RuleSet: Described(text)
* ^description.extension[0].url = "http://hl7.org/fhir/StructureDefinition/translation"
* ^description.extension[0].extension[0].url = "lang"
* ^description.extension[0].extension[0].valueCode = #it
* ^description.extension[0].extension[1].url = "content"
* ^description.extension[0].extension[1].valueString = "{text}"

RuleSet: Says(english, italian)
* ^short = "{english}"
* ^short.extension[0].url = "http://hl7.org/fhir/StructureDefinition/translation"
* ^short.extension[0].extension[0].url = "lang"
* ^short.extension[0].extension[0].valueCode = #it
* ^short.extension[0].extension[1].url = "content"
* ^short.extension[0].extension[1].valueString = "{italian}"
* ^definition = "{english}"

// What must-support means here, in every profile.
RuleSet: Profiled(italian)
* insert Italian([[{italian}]])
* ^purpose = "Must-support: mesofhir writes the element whenever the clinic's record states it, reads it back, and tells when a server dropped or changed it. A server that supports this profile stores the element and gives it back as it was. An element that the record calls unknown carries data-absent-reason `unknown`; one that the record does not state is left out, which is no error."

RuleSet: Identified
* identifier 1..* MS
* identifier insert Says([[The clinic's own key of the record, under the clinic's namespace: how it is found again and never doubled]], [[Chiave propria del record nella clinica: permette di ritrovarlo e di non duplicarlo]])
* identifier.system 1..1 MS
* identifier.system insert Says([[The clinic's namespace and the table of the record]], [[Lo spazio dei nomi della clinica e la tabella del record]])
* identifier.value 1..1 MS
* identifier.value insert Says([[The key]], [[La chiave]])

RuleSet: OfPatient
* subject only Reference(Patient)
* subject 1..1 MS
* subject insert Says([[The patient, as known to the EHR]], [[Il paziente, come noto alla cartella clinica]])

RuleSet: Sided
* bodySite MS
* bodySite from Sites (extensible)
* bodySite insert Says([[The region of the body, with its side; its text says both]], [[Regione del corpo con il lato; il testo riporta entrambi]])
* bodySite.extension contains Laterality named laterality 0..1 MS

RuleSet: Noted
* note MS
* note insert Says([[A free note of the clinic]], [[Nota libera della clinica]])

RuleSet: Performed
* performer only Reference(Practitioner or PractitionerRole or Organization)
* performer MS
* performer insert Says([[Who asked or examined]], [[Chi ha chiesto o esaminato]])

// The same for an instance, which is no caret path.
RuleSet: TitledInItalian(title)
* title.extension[0].url = "http://hl7.org/fhir/StructureDefinition/translation"
* title.extension[0].extension[0].url = "lang"
* title.extension[0].extension[0].valueCode = #it
* title.extension[0].extension[1].url = "content"
* title.extension[0].extension[1].valueString = "{title}"
