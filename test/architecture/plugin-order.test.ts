import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict'
import { basename } from 'node:path'
import { test } from 'node:test'
import Fastify from 'fastify'
import { plugins, registeredPlugins } from './plugin.ts'
import { program } from './source-file.ts'

const registered = registeredPlugins()
const names = registered.map(({ name }) => name)

test('src/app.ts registers every plugin, once', () => {
  strictEqual(names.length, plugins.length)
  deepStrictEqual(new Set(names), new Set(plugins.map(({ name }) => name)))
})

test('a plugin is called what its file is called', () => {
  deepStrictEqual(
    plugins.filter(({ path, name }) => basename(path, '.ts') !== name).map(({ path }) => path),
    [],
  )
})

test('what a plugin depends on is registered before it', () => {
  const late = registered.flatMap(({ name, dependencies }, index) =>
    dependencies.filter(needed => !names.slice(0, index).includes(needed)).map(needed => `${name} needs ${needed}`),
  )
  deepStrictEqual(late, [])
})

test('a plugin names every plugin whose decorators it uses', () => {
  const providers = new Map(
    plugins.flatMap(({ path, name }) =>
      [...codeOf(path).matchAll(/\bapp\.decorate\('(\w+)'/g)].map(([, decorator = '']) => [decorator, name] as const),
    ),
  )
  ok(providers.size > 10, 'decorators are found')
  const silent = registered.flatMap(plugin =>
    [...decoratorsUsedBy(plugin.path)].flatMap(decorator => {
      const provider = providers.get(decorator)
      if (provider === undefined || provider === plugin.name || needs(plugin.name).has(provider)) return []
      return [`${plugin.path} uses app.${decorator} of ${provider}`]
    }),
  )
  deepStrictEqual([...new Set(silent)], [])
})

test('a wrong order fails at boot', async () => {
  for (const { name, dependencies, register } of plugins.filter(plugin => plugin.dependencies.length > 0)) {
    const app = Fastify()
    const boot = async () => {
      await app.register(register)
      await app.ready()
    }
    const missing = new RegExp(`The dependency '(${dependencies.join('|')})' of plugin '${name}' is not registered`)
    await rejects(boot, missing, name)
    await app.close()
  }
})

function codeOf(path: string): string {
  return program.find(file => file.path === path)?.code ?? ''
}

/** `app.sql`, and what is taken by `const { sql, peppers } = app`. */
function decoratorsUsedBy(path: string): ReadonlySet<string> {
  const code = codeOf(path)
  const taken = [...code.matchAll(/\{([^{}]*)\} = app\b/g)].flatMap(([, list = '']) => list.match(/\b\w+\b/g) ?? [])
  return new Set([...taken, ...[...code.matchAll(/\bapp\.(\w+)/g)].map(([, name = '']) => name)])
}

/** The plugins it depends on, and those that these depend on. */
function needs(name: string): ReadonlySet<string> {
  const direct = plugins.find(plugin => plugin.name === name)?.dependencies ?? []
  return new Set(direct.flatMap(needed => [needed, ...needs(needed)]))
}
