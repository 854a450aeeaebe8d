/** The small, closed classes of words that the guard of the semantic cache knows, by what they do to a sentence. */

const setOf = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

/** Turns a statement into its opposite: English, and the common ones of German, French, Spanish, Italian, Portuguese, Dutch. */
const negations = `
  not no never none nobody nothing nowhere neither nor without cannot unless except hardly barely scarcely seldom rarely lack
  lacks lacking fail fails failed avoid avoids avoiding prevent prevents refuse refuses instead
  nicht kein keine keinen keiner keinem keines nie niemals nichts niemand ohne weder
  ne pas jamais sans rien aucun aucune personne non plus
  nunca jamás jamas sin nada nadie ningún ninguno ninguna tampoco
  mai senza niente nessun nessuno nessuna
  não nao nem sem nenhum nenhuma ninguém
  niet geen nooit zonder niets niemand`

/** How much or how many, of how many there are, and how sure: two sentences that differ in one of them say another thing. */
const quantities = `
  all every each any some both either half halves quarter quarters third thirds double twice thrice triple couple pair single few
  little many much several most more less fewer least only just almost nearly about exactly maximum minimum max min average mean
  median total sum always sometimes often usually must may might should shall ought can could would will
  first second third fourth fifth last next previous latest newest oldest earliest`

/** Words with an opposite that stands in the same place: direction, order in time, and what is done to a thing. */
const opposites = `
  on off up down in out into onto from to before after since until above below over under inside outside left right top bottom
  front back forward backward forwards backwards north south east west upstream downstream
  and or but versus vs than if
  start stop begin end open close enable disable allow deny grant revoke add remove subtract insert delete increase decrease raise
  lower rise fall gain lose win buy sell import export encode decode encrypt decrypt compress decompress push pull send receive
  lock unlock mount unmount install uninstall subscribe unsubscribe upgrade downgrade upload download login logout connect
  disconnect accept reject pass fail create destroy show hide expand collapse ascending descending asc desc attach detach
  big small large tiny high low long short tall wide narrow thick thin heavy light hot cold warm cool fast slow quick early late
  old new young good bad better worse best worst strong weak rich poor hard soft easy difficult simple complex cheap expensive
  true false yes male female positive negative safe dangerous healthy harmful legal same different equal greater public private
  internal external static dynamic local remote global vertical horizontal horizontally vertically odd even day night
  advantage advantages benefit benefits drawback drawbacks pro pros con cons cause causes effect effects lend borrow teach learn
  present absent alive dead empty full wet dry parent child husband wife mother father son daughter brother sister`

/** When: names of days and months, and words that say it from now. */
const times = `
  today tomorrow yesterday now tonight currently recently ago later soon morning noon afternoon evening midnight
  daily weekly monthly yearly annually hourly annual
  monday tuesday wednesday thursday friday saturday sunday
  january february march april may june july august september october november december
  mon tue tues wed thu thur thurs fri sat sun jan feb mar apr jun jul aug sep sept oct nov dec
  heute morgen gestern jetzt hoy mañana ayer ahora demain hier maintenant`

/** What kind of thing is asked for. Not what, which and how, which stand in all kinds of questions. */
const askedFor = 'who whom whose when where why'

/** Whose it is, and of whom is spoken. */
const persons = `my mine your yours his her hers him its our ours their theirs them he she they we us me myself yourself`

/** Numbers as other languages write them. They count as words: what they stand for need not be known for them to differ. */
const foreignNumbers = `
  null ein eins eine zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig vierzig fünfzig hundert tausend
  un une deux trois quatre cinq sept huit neuf dix onze douze vingt trente quarante cinquante cent mille
  uno una dos tres cuatro cinco seis siete ocho nueve diez once doce veinte treinta cuarenta cincuenta cien mil
  due tre quattro sei sette otto nove dieci venti dois três quatro sete oito dez vinte
  een twee drie vijf zes zeven acht negen tien twintig honderd duizend`

/** A word of these must stand in both texts, or in neither. */
export const tellingWords: ReadonlySet<string> = setOf(
  [negations, quantities, opposites, times, askedFor, persons, foreignNumbers].join(' '),
)

/** Say nothing of what is asked. An article does before few and little. */
export const articles: ReadonlySet<string> = setOf('a an the')
export const politeWords: ReadonlySet<string> = setOf(
  'please kindly thanks thank hi hello hey greetings ok okay well so um uh',
)

/** Stand at the beginning of a sentence with a capital letter, and are no names. */
const openings = setOf(`
  a an the this that these those there here it i is are was were am be been being do does did done has have had having
  what which how who whom whose when where why whether
  please kindly thanks thank hi hello hey ok okay well so yes
  tell show give explain describe list write make let name define compare suggest recommend summarize summarise translate help find
  convert calculate compute count sort fix check say state mention provide generate draft rewrite check read use get set put keep
  for of at by with as about between during through because while although also then
  der die das ist sind wie was wer wo wann warum welche bitte kann le la les est quel quelle comment pourquoi el los las qué cómo`)

/** Whether a capital letter at the beginning of a sentence says nothing. */
export const isOpening = (word: string): boolean => openings.has(word) || tellingWords.has(word)

/** So common that the same letters in capitals are most likely something else: US, IT, WHO, May, Will. */
export const isCommon = (word: string): boolean => word !== 'i' && (isOpening(word) || politeWords.has(word))

/** Units that are written in several ways. What is not here counts as it is written. */
const unitForms: readonly (readonly [canonical: string, forms: string])[] = [
  ['percent', '% percent pct prozent'],
  ['degree', '° degree degrees'],
  ['celsius', '°c celsius centigrade'],
  ['fahrenheit', '°f fahrenheit'],
  ['dollar', '$ dollar dollars'],
  ['usd', 'usd us$'],
  ['euro', '€ euro euros eur'],
  ['pound-sterling', '£ gbp'],
  ['pound', 'pound pounds lb lbs'],
  ['yen', '¥ yen jpy'],
  ['cent', 'cent cents'],
  ['kilometre', 'km kms kilometer kilometers kilometre kilometres'],
  ['metre', 'm meter meters metre metres'],
  ['centimetre', 'cm centimeter centimeters centimetre centimetres'],
  ['millimetre', 'mm millimeter millimeters millimetre millimetres'],
  ['mile', 'mi mile miles'],
  ['foot', 'ft foot feet'],
  ['inch', 'inch inches'],
  ['yard', 'yd yard yards'],
  ['kilogram', 'kg kgs kilo kilos kilogram kilograms'],
  ['gram', 'g gram grams'],
  ['milligram', 'mg milligram milligrams'],
  ['ounce', 'oz ounce ounces'],
  ['ton', 'ton tons tonne tonnes'],
  ['litre', 'l liter liters litre litres'],
  ['millilitre', 'ml milliliter milliliters millilitre millilitres'],
  ['gallon', 'gal gallon gallons'],
  ['millisecond', 'ms millisecond milliseconds'],
  ['second', 's sec secs second seconds'],
  ['minute', 'min mins minute minutes'],
  ['hour', 'h hr hrs hour hours'],
  ['day', 'day days'],
  ['week', 'week weeks'],
  ['month', 'month months'],
  ['year', 'yr yrs year years'],
  ['byte', 'byte bytes'],
  ['kilobyte', 'kb kilobyte kilobytes'],
  ['megabyte', 'mb megabyte megabytes'],
  ['gigabyte', 'gb gigabyte gigabytes'],
  ['terabyte', 'tb terabyte terabytes'],
  ['am', 'am a.m'],
  ['pm', 'pm p.m'],
]

/** From how a unit is written, in small letters, to its one name. */
export const units: ReadonlyMap<string, string> = new Map(
  unitForms.flatMap(([canonical, forms]) => forms.split(' ').map(form => [form, canonical] as const)),
)

/**
 * Whether the word may be one that another word turns into its opposite: impossible, disadvantage, useless. That the rest is a
 * word by itself is not asked: information is taken for one too, and must then stand in both texts.
 */
export const isTurned = (word: string): boolean =>
  /^(?:un|in|im|il|ir|dis|non|mis|anti|de|re|pre|post|over|under)-?\p{L}{3,}$/u.test(word) ||
  /\p{L}{2}-?(?:less|free|proof)$/u.test(word)

/** Whether it compares: smaller, hottest, earlier. Of words in -er only those that are made of one that tells, not water. */
export function isCompared(word: string): boolean {
  if (/^\p{L}{3,}est$/u.test(word)) return true
  if (!word.endsWith('er')) return false
  const stem = word.slice(0, -2)
  return [stem, `${stem}e`, stem.replace(/(.)\1$/u, '$1'), stem.replace(/i$/, 'y')].some(base => tellingWords.has(base))
}
