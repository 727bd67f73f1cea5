ValueSet: Intervals
Id: intervals
Title: "Units of the time between sessions"
Description: "Days, weeks or months (UCUM)."
* insert Italian([[Unità del tempo tra le sedute]])
* $ucum#d "day"
* $ucum#wk "week"
* $ucum#mo "month"
