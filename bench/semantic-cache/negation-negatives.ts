/** Questions of which one turns the other round, and those in which two things change places. */
import { list, type Negative, turn } from './templates.ts'

export function negations(): readonly Negative[] {
  const kind = 'negations'
  const things = list('sugar, salt, milk, meat, gluten, nuts, eggs, butter, oil, yeast, cheese, garlic')
  const animals = list('birds, cats, dogs, fish, horses, snakes, bats, frogs, whales, bees, mice, owls')
  const acts = list(
    'eat raw eggs, drink tap water, swim after lunch, sleep with a fan on, run every day, feed wild birds, use old batteries, charge a phone overnight',
  )
  const places = list('the park, the museum, the library, the beach, the pool, the office, the zoo, the theatre')
  const devices = list('light, heater, router, alarm, printer, camera, microphone, screen, radio, fan')
  const subjects = list(
    'solar power, remote work, nuclear energy, city life, home schooling, electric cars, online shops, open source, night shifts, big cities',
  )
  return [
    ...turn(
      kind,
      [
        ['How do I bake bread with X?', 'How do I bake bread without X?'],
        ['List dishes that contain X', 'List dishes that do not contain X'],
        ['Is there X in this soup?', 'Is there no X in this soup?'],
        ['Give me a recipe with X', 'Give me a X-free recipe'],
        ['May I eat X?', "Mayn't I eat X?"],
        ['Which drinks have X in them?', 'Which drinks never have X in them?'],
      ],
      things,
    ),
    ...turn(
      kind,
      [
        ['Which X can fly?', "Which X can't fly?"],
        ['Do X sleep at night?', "Don't X sleep at night?"],
        ['Are all X clever?', 'Are some X clever?'],
        ['Why do X like water?', 'Why do X dislike water?'],
        ['Are X dangerous?', 'Are X not dangerous?'],
        ['Name the largest of the X', 'Name the smallest of the X'],
        ['Do X always eat grass?', 'Do X never eat grass?'],
      ],
      animals,
    ),
    ...turn(
      kind,
      [
        ['Is it safe to X?', 'Is it unsafe to X?'],
        ['Is it safe to X?', 'Is it not safe to X?'],
        ['Why should I X?', "Why shouldn't I X?"],
        ['Is it legal to X?', 'Is it illegal to X?'],
        ['Is it possible to X?', 'Is it impossible to X?'],
        ['Should everybody X?', 'Should nobody X?'],
      ],
      acts,
    ),
    ...turn(
      kind,
      [
        ['Are dogs allowed in X?', 'Are dogs not allowed in X?'],
        ['When does X open?', 'When does X close?'],
        ['What can I do before I visit X?', 'What can I do after I visit X?'],
        ['Is X open on all days but Sunday?', 'Is X open on no day but Sunday?'],
        ['How do I get to X?', 'How do I get from X?'],
      ],
      places,
    ),
    ...turn(
      kind,
      [
        ['How do I turn the X on?', 'How do I turn the X off?'],
        ['How do I enable the X?', 'How do I disable the X?'],
        ['How do I connect the X?', 'How do I disconnect the X?'],
        ['How do I install the X?', 'How do I uninstall the X?'],
        ['Why does the X start by itself?', 'Why does the X stop by itself?'],
        ['Is the X useful?', 'Is the X useless?'],
      ],
      devices,
    ),
    ...turn(
      kind,
      [
        ['Name the advantages of X', 'Name the disadvantages of X'],
        ['What are the pros of X?', 'What are the cons of X?'],
        ['Why is X better than before?', 'Why is X worse than before?'],
        ['Why do people like X?', 'Why do people not like X?'],
        ['Is X more expensive?', 'Is X less expensive?'],
        ['Does X increase the cost of living?', 'Does X decrease the cost of living?'],
      ],
      subjects,
    ),
    ...turn(
      kind,
      [
        ['Darf man X essen?', 'Darf man X nicht essen?'],
        ['¿Puedo comer X?', '¿No puedo comer X?'],
        ['Peut-on manger X ?', 'Ne peut-on pas manger X ?'],
      ],
      list('Brot, pan, pommes, arroz, sopa, riz'),
    ),
  ]
}

export function order(): readonly Negative[] {
  const kind = 'order'
  const pairs = [
    'euros|dollars',
    'miles|kilometres',
    'English|German',
    'Paris|Rome',
    'Celsius|Fahrenheit',
    'JSON|YAML',
    'cups|grams',
    'Ann|Bob',
    'cats|dogs',
    'tea|coffee',
    'day|night',
    'work|school',
  ]
  const templates = [
    'How do I get from X to Y?',
    'How do I convert X to Y?',
    'Why do people like X more than Y?',
    'Does X come before Y?',
    'Subtract X from Y',
    'Replace X by Y',
    'Is X larger than Y?',
    'What did X say to Y?',
  ]
  return templates.flatMap(template =>
    pairs.map(pair => {
      const [x = '', y = ''] = pair.split('|')
      return {
        kind,
        one: template.replace('X', x).replace('Y', y),
        other: template.replace('X', y).replace('Y', x),
      }
    }),
  )
}
