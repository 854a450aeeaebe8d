/** Questions about another thing of the same kind, or another question about the same thing. */
import { list, type Negative, turn, vary } from './templates.ts'

export function nearTopics(): readonly Negative[] {
  const kind = 'near topics'
  const own = list(
    'password, email address, phone number, profile picture, user name, home address, payment method, time zone, language, newsletter',
  )
  const crafts = list('bread, rice, soup, pasta, pizza, tea, coffee, a salad, a cake, an omelette, jam, yoghurt')
  const jobs = list('baker, lawyer, nurse, plumber, pilot, farmer, judge, tailor, editor, architect, chef, florist')
  const ideas = list(
    'inflation, gravity, democracy, friction, evolution, magnetism, recursion, osmosis, irony, momentum, entropy, erosion',
  )
  const bodies = list('heart, liver, brain, stomach, skin, lung, kidney, eye, ear, tongue')
  const tasks = list(
    'sort a list, reverse a string, read a file, parse a date, open a socket, round a number, copy a folder',
  )
  const goods = list('sofa, table, lamp, mattress, carpet, mirror, kettle, toaster')
  const pets = list('dog, cat, hamster, parrot, goldfish, rabbit, turtle, pony')
  return [
    ...vary(
      kind,
      ['How do I change my X?', 'How do I delete my X?', 'Where do I see my X?', 'Why can I not change my X?'],
      own,
      [1, 2, 3],
    ),
    ...turn(
      kind,
      [
        ['How do I change my X?', 'How do I delete my X?'],
        ['How do I find my X?', 'How do I hide my X?'],
      ],
      own,
    ),
    ...vary(
      kind,
      ['How do I make X?', 'How long does X keep?', 'What goes well with X?', 'How many calories has X?'],
      crafts,
      [1, 2, 3],
    ),
    ...turn(
      kind,
      [
        ['How do I make X?', 'How do I store X?'],
        ['Who invented X?', 'Who sells X?'],
      ],
      crafts,
    ),
    ...vary(kind, ['What does a X do?', 'How do I become a X?', 'How much does a X earn?'], jobs, [1, 2]),
    ...vary(kind, ['What is X?', 'Explain X to a child', 'Give an example of X'], ideas, [1, 2]),
    ...turn(
      kind,
      [
        ['When was X first described?', 'Where was X first described?'],
        ['Who discovered X?', 'Who teaches X?'],
      ],
      ideas,
    ),
    ...vary(
      kind,
      ['How do I X in a shell script?', 'Write a test for code to X', 'Is it slow to X?'],
      tasks,
      [1, 2, 3],
    ),
    ...vary(kind, ['Where can I buy a X?', 'How do I clean a X?', 'How heavy is a X?'], goods, [1, 2, 3]),
    ...vary(kind, ['What does the X do?', 'How large is the X?', 'What is good for the X?'], bodies, [1, 2]),
    ...vary(kind, ['What do I feed a X?', 'How long does a X live?', 'Is a X a good pet?'], pets, [1, 2]),
    ...turn(
      kind,
      [
        ['Write a poem about a X', 'Write a song about a X'],
        ['How do I wash a X?', 'How do I train a X?'],
        ['Is my X ill?', 'Is your X ill?'],
      ],
      pets,
    ),
  ]
}
