ValueSet: DosageSites
Id: dosage-sites
Title: "Where a mixture is given"
Description: "The skin over the treated site, or the site where no code for its skin was found."
* insert Italian([[Dove si somministra una miscela]])
* include codes from valueset SkinSites
* include codes from valueset Sites
