import { deepStrictEqual } from 'node:assert/strict'
import { globSync } from 'node:fs'
import { test } from 'node:test'
import { dashboards, program, root, scripts, tests } from './source-file.ts'

const own = [...program, ...scripts, ...dashboards]
const maxLines = 250

test('no folder is named after nothing in particular', () => {
  const vague = new Set([
    'utils',
    'util',
    'helpers',
    'common',
    'shared',
    'misc',
    'services',
    'types',
    'middlewares',
    'lib',
  ])
  const folders = globSync('{src,plugins,routes,monitoring,test,scripts}/**/', { cwd: root })
  deepStrictEqual(
    folders.filter(path => path.split(/[\\/]/).some(name => vague.has(name))),
    [],
  )
})

test('files are kebab-case', () => {
  const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.(ts|js)$/
  deepStrictEqual(
    [...own, ...tests].map(({ path }) => path).filter(path => !kebab.test(path.split('/').at(-1) ?? '')),
    [],
  )
})

test(`no file is longer than ${maxLines} lines`, () => {
  const long = own.filter(({ text }) => text.trimEnd().split('\n').length > maxLines)
  deepStrictEqual(
    long.map(({ path, text }) => `${path}: ${text.trimEnd().split('\n').length}`),
    [],
  )
})

test('exports are named, but for the one that Fastify loads of a plugin or route', () => {
  const hasDefault = (path: string) =>
    own.some(file => file.path === path && file.exports.some(({ name }) => name === 'default'))
  deepStrictEqual(
    own.filter(({ path }) => hasDefault(path) && !/^(plugins|routes)\//.test(path)).map(({ path }) => path),
    [],
  )
})

test('every plugin has a default export', () => {
  const without = own.filter(
    ({ path, exports }) => path.startsWith('plugins/') && !exports.some(({ name }) => name === 'default'),
  )
  deepStrictEqual(
    without.map(({ path }) => path),
    [],
  )
})
