Profile: MesotherapyConsent
Parent: Consent
Id: mesotherapy-consent
Title: "Informed consent"
Description: "That the patient consented to the treatment, or refused, and when. The signed paper stays in the clinic."
* insert Profiled([[Consenso informato]])
* insert Identified
* status MS
* scope = http://terminology.hl7.org/CodeSystem/consentscope#treatment
* scope MS
* category MS
* category ^slicing.discriminator.type = #pattern
* category ^slicing.discriminator.path = "$this"
* category ^slicing.rules = #open
* category contains consent 1..1 MS
* category[consent] = $loinc#59284-0
* patient 1..1 MS
* patient insert Says([[The patient, as known to the EHR]], [[Il paziente, come noto alla cartella clinica]])
* dateTime MS
* dateTime insert Says([[When it was given or refused]], [[Quando è stato dato o negato]])
* performer MS
* performer insert Says([[Who obtained it]], [[Chi l'ha raccolto]])
* policyRule 1..1 MS
* policyRule = $local#informed-consent
* provision MS
* provision.type MS
* provision.type insert Says([[Permitted or denied]], [[Acconsentito o negato]])
* status insert Says([[Where it stands; `entered-in-error` withdraws it]], [[Lo stato; `entered-in-error` annulla]])
* scope insert Says([[Consent to a treatment]], [[Consenso a un trattamento]])
* category insert Says([[What kind it is]], [[Di che tipo è]])
* category[consent] insert Says([[Says that it is a consent]], [[Indica che è un consenso]])
* policyRule insert Says([[What was consented to]], [[A che cosa si è acconsentito]])
* provision insert Says([[What the patient decided]], [[Che cosa ha deciso il paziente]])
* insert Described([[Che il paziente ha acconsentito al trattamento, o ha rifiutato, e quando. Il foglio firmato resta in clinica.]])
