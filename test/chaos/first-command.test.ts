import { deepStrictEqual, match, ok, strictEqual } from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { cloneRepository, finish, type Shell, type } from '../e2e/new-user.ts'
import { boundedFetch } from '../support/bounded-fetch.ts'
import { until } from '../support/until.ts'

const installMs = 5 * 60_000

const firstKey = /shown this once: (\S+)/

interface Server {
  readonly url: string
  readonly pid: number
}

/** What the line `{"msg":"listening","url":…,"pid":…}` says; an error where the server has ended instead. */
async function listening(shell: Shell, withinMs: number): Promise<Server> {
  let isOver = false
  const end = () => {
    isOver = true
  }
  shell.exit.then(end, end)
  const line = () => shell.stdout.find(text => text.includes('"msg":"listening"'))
  await until('the server listens', () => line() !== undefined || isOver, withinMs)
  ok(line() !== undefined, `it did not listen:\n${shell.describe()}`)
  return JSON.parse(line() ?? '') as Server
}

/** Stops it as a supervisor does; npm passes the exit code on. */
async function stop(shell: Shell, { pid }: Server): Promise<void> {
  process.kill(pid, 'SIGTERM')
  strictEqual(await finish(shell, 60_000), 0, shell.describe())
}

/** The request of the README: the path and body of its first curl. */
function readmeRequest(clone: string): { path: string; body: string } {
  const text = readFileSync(join(clone, 'README.md'), 'utf8')
  const [, path = '', body = ''] = /curl http:\/\/127\.0\.0\.1:4000(\/\S+)[\s\S]*?-d '([^']+)'/.exec(text) ?? []
  ok(path !== '' && body !== '', 'the README has a curl line')
  return { path, body }
}

test('the README’s first command works on a bare clone, and again', { timeout: installMs + 120_000 }, async t => {
  const clone = cloneRepository(t)
  ok(!existsSync(join(clone, 'node_modules')))
  let key = ''

  await t.test('npm start installs, listens, makes a key and answers with the model it brings', async t => {
    // Any free port: the machine may run another one on 4000.
    const shell = type(t, clone, ['npm', 'start', '--', '--port', '0'])
    const server = await listening(shell, installMs)
    const { url } = server
    strictEqual(shell.stderr.filter(line => line.includes('installing dependencies')).length, 1, shell.describe())
    await until('the first key is shown', () => shell.stderr.some(line => firstKey.test(line)), 60_000)
    key = firstKey.exec(shell.stderr.join('\n'))?.[1] ?? ''

    const { path, body } = readmeRequest(clone)
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const response = await boundedFetch(url + path, { method: 'POST', headers, body })
    const text = await response.text()
    strictEqual(response.status, 200, `${text}\n${shell.describe()}`)
    match(response.headers.get('content-type') ?? '', /^text\/event-stream/)
    ok(text.endsWith('data: [DONE]\n\n'), text)
    ok(spokenIn(text).trim().length > 0, 'the model says something')

    strictEqual(
      (await boundedFetch(url + path, { method: 'POST', body, headers: { 'content-type': 'application/json' } }))
        .status,
      401,
    )

    const made = type(t, clone, ['npx', 'weir', 'keys', 'create', '--account', 'me', '--tier', 'free'])
    strictEqual(await finish(made, 60_000), 0, made.describe())
    const models = await boundedFetch(`${url}/v1/models`, {
      headers: { authorization: `Bearer ${made.stdout.at(-1)}` },
    })
    strictEqual(models.status, 200, made.describe())

    await stop(shell, server)
    ok(!shell.stdout.join('\n').includes(key), 'the key is not in the log')
  })

  await t.test('the second start installs nothing, makes no key, and the first one still works', async t => {
    const shell = type(t, clone, ['npm', 'start', '--', '--port', '0'])
    const server = await listening(shell, 60_000)
    await until('it is ready', async () => (await boundedFetch(`${server.url}/health/ready`)).ok, 60_000)
    const response = await boundedFetch(`${server.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })
    strictEqual(response.status, 200, shell.describe())
    deepStrictEqual(
      shell.stderr.filter(line => firstKey.test(line) || line.includes('installing')),
      [],
    )
    await stop(shell, server)
  })
})

/** The content of all events of a chat stream. */
function spokenIn(stream: string): string {
  const events = stream.split('\n\n').filter(frame => frame.startsWith('data: {'))
  return events
    .map(frame => JSON.parse(frame.slice('data: '.length)) as { choices: { delta: { content?: string | null } }[] })
    .map(event => event.choices[0]?.delta.content ?? '')
    .join('')
}
