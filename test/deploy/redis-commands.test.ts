import { deepStrictEqual, ok } from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { program, root } from '../architecture/source-file.ts'

/** What the client sends without being asked: how scripts are run, its greeting, its farewell, and an end of listening. */
const ownOfClient = ['eval', 'evalsha', 'info', 'client', 'quit', 'unsubscribe']

const scripts = [
  ...program.map(({ code }) => code),
  ...globSync('src/**/*.lua', { cwd: root }).map(path => readFileSync(join(root, path), 'utf8')),
]

/** `redis.call('HSET', …)` in Lua. */
const inLua = scripts.flatMap(text =>
  [...text.matchAll(/redis\.p?call\('(\w+)'/g)].map(([, name = '']) => name.toLowerCase()),
)

/** `this.#redis.publish(…)` in TypeScript. */
function inTypeScript(): string[] {
  const client = new Redis({ lazyConnect: true })
  const known = new Set(client.getBuiltinCommands())
  client.disconnect()
  const calls = program.flatMap(({ code }) => [...code.matchAll(/\b(?:redis|subscriber|client|pipeline)\.(\w+)\(/gi)])
  return calls.map(([, name = '']) => name.toLowerCase()).filter(name => known.has(name))
}

const users = ['deploy/compose/secrets/redis-users', 'k8s/overlays/development/redis-users.acl']

for (const path of users) {
  test(`O06 the Redis user of ${path} may do what the program does, on its own keys, and nothing else`, () => {
    const [, weir = ''] = readFileSync(join(root, path), 'utf8').trimEnd().split('\n')
    const rules = weir.split(' ').slice(4)
    deepStrictEqual(rules.slice(0, 3), ['~weir:*', '&weir:*', '-@all'])
    const used = [...inLua, ...inTypeScript(), ...ownOfClient]
    ok(inLua.length > 20)
    deepStrictEqual(new Set(rules.slice(3)), new Set(used.map(name => `+${name}`)))
  })
}
