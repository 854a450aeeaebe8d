import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { configurationTable, leftOut } from './configuration-table.ts'
import { root } from './source-file.ts'
import { findTable } from './table.ts'

const pages = ['README.md', 'CONTRIBUTING.md', 'docs/ARCHITECTURE.md', 'docs/API.md', 'docs/DEPLOYMENT.md'] as const
const read = (path: string) => readFileSync(join(root, path), 'utf8')

test("the README's table of the configuration is the program's", () => {
  const table = configurationTable()
  deepStrictEqual(leftOut(table), [])
  strictEqual(findTable(read('README.md'), 'weir.yaml'), table, `The table should be:\n${table}\n`)
})

test('every npm script that a page names is there', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  for (const page of pages) {
    const named = [...read(page).matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name)
    deepStrictEqual(
      named.filter(name => !(name in scripts)),
      [],
      page,
    )
  }
})

test('every file that a page links to is there', () => {
  for (const page of pages) {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, path = '']) =>
      join(page, '..', path),
    )
    deepStrictEqual(
      links.filter(path => !existsSync(join(root, path))),
      [],
      page,
    )
  }
})

test('the licence is there in full', () => {
  const text = read('LICENSE')
  ok(text.includes('Apache License') && text.includes('END OF TERMS AND CONDITIONS'))
})
