import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildLog } from '../../src/log/build-log.ts'

function collect(level = 'info') {
  const lines: string[] = []
  const log = buildLog({ level, destination: { write: line => void lines.push(line) } })
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown> }
}

test('O01 fields that nobody knows are not logged, whatever they hold', () => {
  const { log, last } = collect()
  log.info({ backend: 'b', headers: { authorization: 'x' }, req: { url: '/?key=x' }, body: 'x', toJSON: 'x' }, 'known')
  const { level, time, pid, hostname, ...rest } = last()
  assert.deepEqual(rest, { backend: 'b', msg: 'known' })
  assert.ok([level, time, pid, hostname].every(value => value !== undefined))
})

test('O01 an error without words beside it does not lend the line its own', () => {
  const { log, lines, last } = collect()
  const error = Object.assign(new Error('secret'), { code: 'ERR_X' })
  log.error(error)
  log.error({ err: error })
  for (const line of lines) assert.ok(!line.includes('secret'), line)
  assert.deepEqual([last()['msg'], (last()['err'] as Record<string, unknown>)['code']], ['error', 'ERR_X'])
})

test('O04 one record is one line of bounded length, whatever it is made of', () => {
  const { log, lines } = collect()
  const rude = '\u001b\r\n\u2028"'.repeat(10_000)
  const deep: Record<string, unknown> = {}
  deep['deep'] = deep
  log.error(
    { reason: rude, warning: rude, problems: Array(10_000).fill(rude), at: deep, models: { [rude]: rude } },
    rude,
  )
  assert.equal(lines.length, 1)
  const [line = ''] = lines
  assert.ok(line.length < 250_000, `${line.length} characters`)
  assert.match(line, /^[\x20-\x7e…]*\n$/)
})
