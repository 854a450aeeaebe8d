import { deepStrictEqual, ok } from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readImage } from '../../scripts/image-content.ts'
import { environmentNames } from '../../src/config/environment.ts'
import { root } from '../architecture/source-file.ts'
import { compose, composeVariables, services } from './compose.ts'

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const page = read('docs/DEPLOYMENT.md')

test('O06 every variable that docs/DEPLOYMENT.md sets is one that Weir or compose.yaml obeys', () => {
  const lines = page.split('\n').filter(line => /^Environment=|--env /.test(line))
  const set = lines.flatMap(line => [...line.matchAll(/(?<=[ =])([A-Z][A-Z_]+)(?==)/g)].map(([name]) => name))
  ok(set.length > 8)
  const known = [...environmentNames(), 'NODE_ENV']
  deepStrictEqual(
    set.filter(name => !known.includes(name)),
    [],
  )
  ok(set.includes('TRUSTED_PROXIES'), 'a proxy is before it')
  const ofCompose = composeVariables.map(([name]) => name)
  for (const name of ['SECRETS_DIR', 'CONFIG_FILE', 'IMAGE_TAG'])
    ok(ofCompose.includes(name) && page.includes(name), name)
})

test('O06 what it says of the image is so', () => {
  const { stage, files } = readImage(root)
  const megabytes = files.reduce((sum, { bytes }) => sum + bytes, 0) / 1_000_000
  const told = Number(/Node's slim image and (\d+) MB/.exec(page)?.[1])
  ok(Math.abs(megabytes - told) < 5, `it is ${megabytes} MB`)
  ok(page.includes(`It runs as user ${stage.user}`))
  for (const name of ['PORT', 'INTERNAL_PORT', 'PROBE_PORT']) ok(page.includes(String(stage.env[name])), name)
})

test('O06 what it says of Compose is so', () => {
  const key = read(compose.secrets['admin-key']?.file ?? '').trimEnd()
  ok(page.includes(`curl http://127.0.0.1:4000/v1/chat/completions -H 'Authorization: Bearer ${key}'`))
  const ports = Object.values(compose.services).flatMap(({ ports = [] }) => ports.map(port => port.split(':')[1] ?? ''))
  for (const port of ports) ok(page.includes(port), port)
  // Docker starts no container that may use more cores than there are.
  const cores = Math.max(...services.map(([, { deploy }]) => Number(deploy?.resources.limits.cpus)))
  ok(page.includes(`It wants 8 GB of memory and ${cores} cores`))
  const [, folder = ''] = /`node scripts\/make-secrets\.js (\w+)` makes others/.exec(page) ?? []
  ok(read('.gitignore').split('\n').includes(`/${folder}/`), 'they would get into a commit')
  const named = page.matchAll(/docker compose (?:exec(?: -T)?|up --detach(?: --no-deps)?) ([\w-]+)/g)
  deepStrictEqual(
    [...named].map(([, name = '']) => name).filter(name => !(name in compose.services)),
    [],
  )
})

test('O06 every file and script that it names is there, and versions of the image are the one of package.json', () => {
  const { version } = JSON.parse(read('package.json')) as { readonly version: string }
  const versions = [...page.matchAll(/weir-gateway\/weir:([\w.]+)/g)].map(([, tag]) => tag)
  ok(versions.length > 0)
  deepStrictEqual(new Set(versions), new Set([version]))
  const paths = [...page.matchAll(/(?<![\w/.])((?:deploy|scripts|bench|k8s|test)\/[\w./-]+\w)/g)].map(
    ([, path = '']) => path,
  )
  deepStrictEqual(
    paths.filter(path => !existsSync(join(root, path))),
    [],
  )
})
