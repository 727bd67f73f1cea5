ValueSet: PainScales
Id: pain-scales
Title: "Pain scales"
Description: "The numeric rating scale and the visual analogue scale, both from 0 to 10."
* insert Italian([[Scale del dolore]])
* $loinc#72514-3 "Pain severity - 0-10 verbal numeric rating [Score] - Reported"
* $loinc#38214-3 "Pain severity [Score] Visual analog score"
