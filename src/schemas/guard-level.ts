/**
 * What two questions must have in common to be answered alike. `words`: every word that says something; articles, politeness,
 * short forms, capitals, the ways of writing a number and the ways of asking may differ. `facts`: only numbers, dates, units,
 * negations and other words with an opposite, names, what is quoted, code and what is not of the Latin alphabet; the rest is
 * left to the embedding.
 */
export type GuardLevel = 'words' | 'facts'
