import { deepStrictEqual, strictEqual } from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { registeredPlugins } from './plugin.ts'
import { program, root } from './source-file.ts'
import { findTable, tableRow } from './table.ts'

const page = readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8')

/** What a plugin puts on the application and on requests, in the order of its code. */
function decoratorsOf(path: string): string[] {
  const code = program.find(file => file.path === path)?.code ?? ''
  const all = [...code.matchAll(/\bapp\.decorate(Request|Reply)?\('(\w+)'/g)].map(
    ([, on = 'app', name = '']) => `\`${on.toLowerCase()}.${name}\``,
  )
  return [...new Set(all)]
}

function pluginTable(): string {
  const rows = registeredPlugins().map(({ path, name, dependencies }) => {
    const cells = [name, dependencies.join(', '), decoratorsOf(path).join(', ')]
    return tableRow(cells.map(cell => cell || '–'))
  })
  return [tableRow(['plugin', 'needs', 'decorates']), tableRow(['---', '---', '---']), ...rows].join('\n')
}

test('the table of plugins is what src/app.ts registers', () => {
  const table = pluginTable()
  strictEqual(findTable(page, 'plugin'), table, `The table should be:\n${table}\n`)
})

test('the tree names every file and folder at its two upper levels, and none that is gone', () => {
  const tree = /## The tree\n\n```\n([\s\S]*?)```/.exec(page)?.[1] ?? ''
  const named = new Set(tree.split('\n').flatMap(line => /^(\S+)/.exec(line)?.[1] ?? []))
  const tops = ['scripts/', '.github/', 'deploy/', 'k8s/', 'monitoring/', 'monitoring/dashboards/', 'test/']
  const folders = globSync(['src/*/', 'plugins/', 'routes/', 'routes/*/', ...tops], { cwd: root })
  const files = globSync('src/*.ts', { cwd: root })
  const there = new Set([...folders.map(path => `${path.replaceAll('\\', '/').replace(/\/$/, '')}/`), ...files])
  deepStrictEqual(named, new Set([...there].map(path => path.replaceAll('\\', '/'))))
})
