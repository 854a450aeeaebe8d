import { strictEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { changelogOf } from '../../scripts/write-changelog.ts'

test('a changelog has what is new, what was mended and what breaks, and leaves the rest out', () => {
  const subjects = [
    'fix(backend): a reset before any byte is tried once more',
    'test: more of it',
    'feat(keys)!: a key has an account',
    'feat: a thing',
    'Merge of something',
    'perf(relay): fewer copies',
  ]
  const expected = `## Needs a change of yours

- **keys**: a key has an account

## New

- a thing

## Mended

- **backend**: a reset before any byte is tried once more

## Faster

- **relay**: fewer copies
`
  strictEqual(changelogOf(subjects), expected)
})
