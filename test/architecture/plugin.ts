/** What Fastify knows of each plugin before it runs: its name and what has to be there first. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { FastifyPluginAsync } from 'fastify'
import { program, root } from './source-file.ts'

export interface Plugin {
  readonly path: string
  readonly name: string
  readonly dependencies: readonly string[]
  readonly register: FastifyPluginAsync
}

/** Where fastify-plugin writes them. */
const metaKey = Symbol.for('plugin-meta')

type Module = { default: FastifyPluginAsync & { [metaKey]?: { name: string; dependencies?: readonly string[] } } }

const module = async (path: string) => (await import(pathToFileURL(join(root, path)).href)) as Module

/** Every file of plugins/. */
export const plugins: readonly Plugin[] = await Promise.all(
  program
    .filter(({ path }) => path.startsWith('plugins/'))
    .map(async ({ path }) => {
      const { default: register } = await module(path)
      const meta = register[metaKey]
      if (meta === undefined) throw new Error(`${path} is not wrapped in fastify-plugin`)
      return { path, name: meta.name, dependencies: meta.dependencies ?? [], register }
    }),
)

/** The plugins in the order in which src/app.ts registers them. */
export function registeredPlugins(): readonly Plugin[] {
  const app = program.find(({ path }) => path === 'src/app.ts')
  if (app === undefined) throw new Error('src/app.ts is gone')
  const files = new Map(
    [...app.code.matchAll(/\nimport (\w+)[^']* from '\.\.\/(plugins\/[^']+)'/g)].map(([, local, file]) => [
      local,
      file,
    ]),
  )
  return [...app.code.matchAll(/\bapp\.register\((\w+)/g)].flatMap(([, local = '']) => {
    const found = plugins.find(({ path }) => path === files.get(local))
    return found === undefined ? [] : [found]
  })
}
