/** Questions that differ in a number, a name or a quotation. */
import { list, type Negative, vary } from './templates.ts'

export function numbers(): readonly Negative[] {
  const kind = 'numbers'
  return [
    ...vary(
      kind,
      [
        'What is X plus 7?',
        'What is 90 minus X?',
        'Is X a prime number?',
        'Write a story of X words',
        'Name X animals',
        'Count to X',
        'How old is someone born X years ago?',
      ],
      list('3, 5, 8, 12, 15, 21, 34, 50, 55, 89'),
      [1, 2, 3],
    ),
    ...vary(
      kind,
      [
        'Give me X facts about bees',
        'Write X lines about the sea',
        'What is X times four?',
        'Tell me X jokes',
        'List X kinds of cheese',
      ],
      list('two, three, four, five, six, seven, ten, twelve, twenty, twenty-one, thirty, a hundred'),
      [1, 2, 3, 4],
    ),
    ...vary(
      kind,
      ['How much is X of 300?', 'Is a discount of X good?', 'What does X fat in milk mean?'],
      list('5%, 10%, 12.5%, 15%, 50%, 5.5%, 0.5%'),
      [1, 2, 3],
    ),
    ...vary(
      kind,
      ['How far is X?', 'Can I walk X in a day?'],
      list('5 km, 5 miles, 50 km, 5 metres, 500 m, 15 km, 51 km'),
      [1, 2, 3],
    ),
    ...vary(
      kind,
      ['How long does it take to cook X of rice?', 'Is X of sugar too much?'],
      list('10 g, 100 g, 1 kg, 10 oz, 2 pounds, 200 g'),
      [1, 2, 3],
    ),
    ...vary(
      kind,
      ['What happened on X?', 'Which day of the week was X?', 'Is the office open on X?'],
      list(
        'May 1, May 2, May 11, June 1, July 1, 1 May 2020, 1 May 2021, 2024-05-01, 2024-01-05, Monday, Tuesday, Sunday',
      ),
      [1, 2, 3],
    ),
    ...vary(
      kind,
      ['Wake me at X', 'Which trains leave after X?'],
      list('6 am, 6 pm, 7 am, 6:30, 7:30, 16:30, noon, midnight'),
      [1, 2, 3],
    ),
    ...vary(
      kind,
      ['What is new in version X?', 'How do I update to version X?'],
      list('1.2, 1.3, 2.1, 1.20, 12, v1.2.1, 1.2.3'),
      [1, 2, 3],
    ),
    ...vary(
      kind,
      ['What can I buy for X?', 'Is X a good price for a bike?'],
      list('$5, $50, €5, £5, 5 yen, $500, $5,000'),
      [1, 2, 3],
    ),
  ]
}

export function names(): readonly Negative[] {
  const kind = 'names'
  const countries = list('France, Germany, Spain, Italy, Poland, Norway, Japan, Brazil, Kenya, Canada, Egypt, Chile')
  const people = list(
    'Marie Curie, Albert Einstein, Isaac Newton, Ada Lovelace, Alan Turing, Charles Darwin, Nikola Tesla, Rosa Parks, Pierre Curie, Charles Babbage',
  )
  const languages = list('Python, Go, Rust, Java, Ruby, Kotlin, Swift, Perl, Scala, Haskell')
  const planets = list('Mercury, Venus, Mars, Jupiter, Saturn, Uranus, Neptune')
  const firms = list('Toyota, Honda, Nissan, Ford, Fiat, Volvo, Skoda, Mazda')
  const lower = (values: readonly string[]) => values.map(value => value.toLowerCase())
  const aboutCountries = [
    'What is the capital of X?',
    'What do people eat in X?',
    'Who rules X?',
    'What is the currency of X?',
    'How large is X?',
    'Which language is spoken in X?',
  ]
  return [
    ...vary(kind, aboutCountries, countries, [1, 3]),
    // As many write.
    ...vary(
      kind,
      aboutCountries.map(each => each.toLowerCase().replaceAll('x?', 'X?')),
      lower(countries),
      [1, 2, 3],
    ),
    ...vary(kind, ['Who was X?', 'When was X born?', 'What did X discover?', 'Where did X live?'], people, [1, 2]),
    ...vary(kind, ['who was X?', 'when was X born?'], lower(people), [1]),
    ...vary(
      kind,
      [
        'How do I read a file in X?',
        'How do I sort a list in X?',
        'Is X hard to learn?',
        'Write a loop in X',
        'What is new in X?',
      ],
      languages,
      [1, 2, 3],
    ),
    ...vary(
      kind,
      ['How far away is X?', 'How many moons has X?', 'Is there water on X?', 'How hot is it on X?'],
      planets,
      [1, 2, 3],
    ),
    ...vary(kind, ['Where are cars by X made?', 'How much is a car by X?', 'Who founded X?'], firms, [1, 2]),
    ...vary(
      kind,
      ['Where is X?', 'When was X built?'],
      list('the Eiffel Tower, the Berlin Wall, the White House, the Golden Gate Bridge, the Colosseum, Big Ben'),
      [1, 2, 3],
    ),
    ...vary(
      kind,
      ['What is userId in X?', 'Explain the table X', 'Delete the file X'],
      list('orders, order_items, orderItems, config.yaml, config.yml, main.go, main.rs, /etc/hosts, /etc/host'),
      [1, 2, 3],
    ),
    ...vary(
      kind,
      ['Who owns X?', 'Is X down?'],
      list('example.com, example.org, example.net, mail.example.com, ann@example.com'),
      [1, 2, 3],
    ),
  ]
}

export function quotations(): readonly Negative[] {
  const kind = 'quotations'
  const texts = list('good morning, good night, good luck, thank you, see you, well done, no way, of course')
  const code = list('a + b, a - b, a == b, a != b, a && b, a || b, !a, x[0], x[1], i++, i--')
  return [
    ...vary(
      kind,
      ['Translate "X" into French', "How do you spell 'X'?", 'Is "X" polite?', 'Answer only “X”'],
      texts,
      [1, 2],
    ),
    ...vary(
      kind,
      ['What does `X` do?', 'Explain `X` in one line', 'What does X mean in C?', 'When is X true?'],
      code,
      [1, 2],
    ),
  ]
}
