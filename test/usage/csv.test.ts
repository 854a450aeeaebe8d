import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { prefersCsv, writeCsv } from '../../src/usage/csv.ts'
import { parseCsv } from '../support/usage-reports.ts'

const pieces = ['=', '+', '-', '@', '＝', '\t', '\r', '\n', '"', ',', ';', ' ', 'a', '1', "'"]
const cell = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...pieces) }))
const isNumber = (value: string) => /^-?\d+(\.\d+)?$/.test(value)
/** Where a program goes on that takes other separators for granted and does not see that it is within quotes. */
const separator = /[;\t\r\n]/
const isFormula = (value: string) => /^["\s]*[=+\-@＝＋－＠]/.test(value)

test('a table is read again as it was written, but for apostrophes before what would be a formula', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 5 }), rows => {
      const text = writeCsv(
        ['a', 'b'],
        rows.map(([a, b]) => ({ a, b })),
      )
      const [names, ...read] = parseCsv(text)
      assert.deepEqual(names, ['a', 'b'])
      assert.deepEqual(
        read.map(row => row.map(value => value.replaceAll("'", ''))),
        rows.map(row => row.map(value => value.replaceAll("'", ''))),
      )
      for (const value of read.flat()) {
        if (isNumber(value)) continue
        for (const part of value.split(separator)) assert.equal(isFormula(part), false, JSON.stringify(value))
      }
      const harmless = rows.flat().filter(value => !/[=+\-@＝＋－＠\t\r\n]/.test(value))
      for (const value of harmless) assert.ok(read.flat().includes(value), 'what is harmless stays as it is')
    }),
    { numRuns: 1000 },
  )
})

test('a cell with what some spreadsheet separates by is in quotes', () => {
  const cells = ['a;b', 'a\tb', 'a,b', 'a\nb', 'a"b', 'plain text', '1.5', 'a|b']
  const table = writeCsv(
    ['a'],
    cells.map(a => ({ a })),
  )
  assert.equal(table, 'a\r\n"a;b"\r\n"a\tb"\r\n"a,b"\r\n"a\nb"\r\n"a""b"\r\nplain text\r\n1.5\r\na|b\r\n')
})

test('where semicolons separate, quotes in the middle of a cell do not count: what comes next is no formula either', () => {
  const cells = ['x;=1+1', 'x;"=1+1"', 'x; @a', ' =1', 'x\t+1', 'x\n-1', 'x;-1', 'a=b;c-d', 'x;＝1']
  const table = writeCsv(
    ['a'],
    cells.map(a => ({ a })),
  )
  assert.deepEqual(parseCsv(table).flat().slice(1), [
    "x;'=1+1",
    'x;\'"=1+1"',
    "x;' @a",
    "' =1",
    "x\t'+1",
    "x\n'-1",
    "x;'-1",
    'a=b;c-d',
    "x;'＝1",
  ])
})

test('what is no text has a form of its own', () => {
  const row = { a: null, b: 12n, c: true, d: 0.5, e: [{ f: 'x,y' }] }
  assert.equal(writeCsv(['a', 'b', 'c', 'd', 'e', 'z'], [row]), 'a,b,c,d,e,z\r\n,12,true,0.5,"[{""f"":""x,y""}]",\r\n')
})

test('an amount below 0 stays a number, and nothing that only begins as one does', () => {
  const cells = ['-1.5', '-0.000000001', '-7', '-1.5+2', '-', '-1.', '--1', '-1e3', '-1\n']
  const table = writeCsv(
    ['a'],
    cells.map(a => ({ a })),
  )
  assert.deepEqual(parseCsv(table).flat().slice(1), [
    '-1.5',
    '-0.000000001',
    '-7',
    "'-1.5+2",
    "'-",
    "'-1.",
    "'--1",
    "'-1e3",
    "'-1\n",
  ])
})

test('CSV is for those who would rather have it than JSON', () => {
  for (const wanted of [
    'text/csv',
    'TEXT/CSV; charset=utf-8',
    'text/csv, */*;q=0.1',
    'application/json;q=0.5, text/csv',
  ])
    assert.equal(prefersCsv(wanted), true, wanted)
  for (const other of [
    undefined,
    '',
    '*/*',
    'text/*',
    'application/json',
    'application/json, text/csv',
    'text/csv;q=0',
    'text/csv;q=2',
    'text/csv;q=x',
    'text/csv;q=0.5, application/json;q=0.6',
    'text/html,application/xhtml+xml,*/*;q=0.8',
  ])
    assert.equal(prefersCsv(other), false, String(other))
})
