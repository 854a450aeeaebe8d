import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { marksOf, signMarks } from '../../src/domain/semantic-guard.ts'
import type { GuardLevel } from '../../src/schemas/guard-level.ts'

const levels: readonly GuardLevel[] = ['words', 'facts']
const secret = Buffer.alloc(32, 7)
const sign = (text: string, level: GuardLevel) => signMarks(marksOf(text, level), secret)

function differ(pairs: readonly (readonly [string, string])[], which = levels): void {
  for (const level of which) {
    for (const [one, other] of pairs) {
      assert.notEqual(sign(one, level), sign(other, level), `${level}: ${one} | ${other}: ${marksOf(one, level)}`)
    }
  }
}

function agree(pairs: readonly (readonly [string, string])[], which = levels): void {
  for (const level of which) {
    for (const [one, other] of pairs) assert.deepEqual(marksOf(one, level), marksOf(other, level), `${level}: ${one}`)
  }
}

test('C05 numbers, dates and units must be the same, however they are written', () => {
  differ([
    ['What is 5 plus 7?', 'What is 5 plus 8?'],
    ['What is 12 minus 7?', 'What is 7 minus 12?'],
    ['Give me five facts about bees', 'Give me six facts about bees'],
    ['Is 1.5 enough?', 'Is 15 enough?'],
    ['Is 1.000 enough?', 'Is 1 enough?'],
    ['Is version 1.2 out?', 'Is version 1.20 out?'],
    ['Is -5 cold?', 'Is 5 cold?'],
    ['What is 5!', 'What is 5?'],
    ['What is x² for 3?', 'What is x2 for 3?'],
    ['How long are 5 km?', 'How long are 5 miles?'],
    ['What is 20% of it?', 'What is 20 of it?'],
    ['What does $5 buy?', 'What does €5 buy?'],
    ['What happened on 2024-01-05?', 'What happened on 2024-05-01?'],
    ['Is it open on Monday?', 'Is it open on Tuesday?'],
    ['is it open in march?', 'is it open in april?'],
    ['Wake me at 10:30', 'Wake me at 10:45'],
    ['Wake me at 10am', 'Wake me at 10pm'],
    ['Was ist 3 mal zwei?', 'Was ist 3 mal drei?'],
    ['Compare version 1.2 and 1.3', 'Compare version 1.2 and 1.4'],
  ])
  agree([
    ['Give me 21 facts about bees', 'Give me twenty-one facts about bees'],
    ['What is 205 plus 1?', 'What is two hundred and five plus one?'],
    ['How old is 1,250 years?', 'How old is one thousand two hundred fifty years?'],
    ['What are 2 million bees?', 'What are 2,000,000 bees?'],
    ['How far is 5 km?', 'How far is 5km?'],
    ['How far is 5 km?', 'How far is five kilometres?'],
    ['What is 20% of 50?', 'What is 20 percent of 50?'],
    ['What does $5 buy?', 'What does 5 dollars buy?'],
    ['How many are a dozen eggs?', 'How many are 12 eggs?'],
  ])
})

test('C05 negations and words with an opposite must be the same, also within a word and in other languages', () => {
  differ([
    ['Is it safe to eat this?', 'Is it not safe to eat this?'],
    ['Which animals can fly?', "Which animals can't fly?"],
    ['Do bees sleep?', "Don't bees sleep?"],
    ['List foods with sugar', 'List foods without sugar'],
    ['List foods with sugar', 'List sugar-free foods'],
    ['Is this legal?', 'Is this illegal?'],
    ['Name the advantages of tea', 'Name the disadvantages of tea'],
    ['Is it possible?', 'Is it impossible?'],
    ['How do I turn the light on?', 'How do I turn the light off?'],
    ['What happened before the war?', 'What happened after the war?'],
    ['Which is the largest lake?', 'Which is not the largest lake?'],
    ['Which is the largest lake?', 'Which is the smallest lake?'],
    ['Is it hotter in town?', 'Is it colder in town?'],
    ['Which train is earlier?', 'Which train is later?'],
    ['Do all birds fly?', 'Do some birds fly?'],
    ['Darf man das essen?', 'Darf man das nicht essen?'],
    ["Il est bon d'en manger?", "Il n'est pas bon d'en manger?"],
    ['¿Es bueno comer carne?', '¿No es bueno comer carne?'],
    ['È buono con zucchero?', 'È buono senza zucchero?'],
    ['When was the bridge built?', 'Where was the bridge built?'],
    ['How many legs has it?', 'How long are its legs?'],
    ['Is my cat ill?', 'Is your cat ill?'],
  ])
  agree([
    ["Why don't bees sleep?", 'Why do not bees sleep?'],
    ['Why can’t pigs fly?', 'Why cannot pigs fly?'],
  ])
})

test('C05 names, quotations, code and identifiers must be the same to the letter', () => {
  differ([
    ['What is the capital of France?', 'What is the capital of Germany?'],
    ['Who was Marie Curie?', 'Who was Pierre Curie?'],
    ['How far is it from Paris to Rome?', 'How far is it from Rome to Paris?'],
    ['Translate "good day" please', 'Translate "good bye" please'],
    ["Translate 'good day' please", "Translate 'good bye' please"],
    ['Translate “good day” please', 'Translate “good  day” please'],
    ['Say `A` now', 'Say `a` now'],
    ['What does ```\na = 1\n``` do?', 'What does ```\na = 2\n``` do?'],
    ['What does x < y mean?', 'What does x > y mean?'],
    ['What is userName?', 'What is username?'],
    ['What is on example.com?', 'What is on example.org?'],
    ['Explain git push --force', 'Explain git push --tags'],
    ['Explain !ready', 'Explain ready'],
    ['Is the US large?', 'Is the us large?'],
    ['What is up in May?', 'What is up, may it?'],
    ['What is 猫?', 'What is 犬?'],
    ['Что такое кошка?', 'Что такое собака?'],
    ['What does 🙂 mean?', 'What does 🙁 mean?'],
  ])
})

test('C05 where every word counts, other things and another order are another question', () => {
  const pairs = [
    ['what is the capital of france?', 'what is the capital of spain?'],
    ['How do I reset my password?', 'How do I reset my router?'],
    ['dog bites man', 'man bites dog'],
    ['Can I eat apples?', 'Can I eat pears?'],
  ] as const
  differ(pairs, ['words'])
  // That is what the embedding is left for, where only facts count.
  agree([pairs[1], pairs[3]], ['facts'])
})

test('the ways of asking, politeness, capitals and short forms make no other question', () => {
  agree(
    [
      ['What is the capital of France?', 'what is the capital of france'],
      ['How do I boil an egg?', 'Please tell me how to boil an egg.'],
      ['How do I boil an egg?', 'Hi, how can I boil an egg, please?'],
      ['How do I boil an egg?', 'I would like to know how to boil an egg. Thank you!'],
      ['How do I boil an egg?', 'What is the way to boil an egg?'],
      ['Explain tides', 'Could you please explain the tides?'],
      ["What's a tide?", 'What is a tide?'],
      ['Who wrote it?', 'Do you know who wrote it?'],
    ],
    ['words'],
  )
  differ(
    [
      ['How do I feel?', 'How do we feel?'],
      ['What is a few of it?', 'What is few of it?'],
      ['Can you swim?', 'swim'],
    ],
    ['words'],
  )
})

test('marks of any text are made without an error, in one way for both normal forms, and say nothing in their signature', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.constantFrom(...levels), (text, level) => {
      const signature = sign(text, level)
      assert.match(signature, /^[\w-]{43}$/)
      assert.equal(sign(text.normalize('NFD'), level), sign(text.normalize('NFC'), level))
    }),
    { numRuns: 300 },
  )
  assert.notEqual(signMarks(['ab', 'c'], secret), signMarks(['a', 'bc'], secret))
  assert.notEqual(signMarks(['a'], secret), signMarks(['a'], Buffer.alloc(32, 8)))
})

test('a text of the greatest length is read in milliseconds, whatever it holds', () => {
  const hostile = [
    "'a ".repeat(1334),
    '"'.repeat(4000),
    '`'.repeat(4000),
    'twenty '.repeat(571),
    "a'".repeat(2000),
    '-'.repeat(4000),
    '1,'.repeat(2000),
    '!?'.repeat(2000),
  ]
  for (const text of hostile) {
    const startMs = performance.now()
    marksOf(text, 'facts')
    assert.ok(performance.now() - startMs < 1000, text.slice(0, 10))
  }
})
