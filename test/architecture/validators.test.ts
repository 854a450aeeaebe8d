import { ok } from 'node:assert/strict'
import { test } from 'node:test'
import { buildValidators } from '../../src/schemas/validators.ts'
import { buildRealApp } from './app.ts'

const parts = ['body', 'querystring', 'params', 'headers'] as const

test('every schema of a route compiles: the program does it only when somebody asks for the route', async t => {
  const { app, routes } = await buildRealApp(t)
  const { compile } = buildValidators(() => app.getSchemas())
  let compiled = 0
  for (const { schema } of routes) {
    for (const part of parts) {
      if (schema[part] === undefined) continue
      compile(schema[part], part)({})
      compiled += 1
    }
  }
  ok(compiled > 40, `${compiled} schemas`)
})
