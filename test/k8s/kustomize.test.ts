import { deepStrictEqual, doesNotMatch, match, ok, strictEqual } from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../architecture/source-file.ts'
import { builds } from './kustomize.ts'
import { containersOf, named } from './manifest.ts'

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
const weir = 'ghcr.io/weir-gateway/weir'
/** Those that somebody applies. */
const applied = Object.entries(builds).filter(([folder]) => folder !== 'k8s/base')

test('every file under k8s/ is in some kustomization', () => {
  const files = globSync('k8s/**/*.*', { cwd: root }).map(path => path.replaceAll('\\', '/'))
  const read = new Set(Object.values(builds).flatMap(({ files }) => files))
  ok(files.length > 20)
  deepStrictEqual(
    files.filter(path => !read.has(path)),
    [],
  )
})

for (const [folder, { manifests }] of Object.entries(builds)) {
  test(`${folder}: no two manifests are of one kind and name`, () => {
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    deepStrictEqual(names, [...new Set(names)])
  })

  test(`${folder}: images have a version, and no digest that nobody has read`, () => {
    for (const { image } of containersOf(manifests)) {
      if (folder === 'k8s/base') strictEqual(image, weir, 'the overlays give the version')
      else match(image, /^[a-z0-9./-]+:[\w.-]+$/)
      doesNotMatch(image, /:latest$/)
    }
  })
}

for (const [folder, { manifests }] of applied) {
  test(`${folder}: Weir is of the version in package.json`, () => {
    const images = containersOf(manifests).map(({ image }) => image)
    const own = images.filter(image => image.startsWith(`${weir}:`))
    deepStrictEqual(new Set(own), new Set([`${weir}:${version}`]))
  })

  test(`${folder}: everything is in one namespace`, () => {
    const places = manifests.map(({ kind, metadata }) => (kind === 'Namespace' ? metadata.name : metadata.namespace))
    strictEqual(new Set(places).size, 1)
    ok(places[0])
  })
}

for (const [folder, name] of [
  ['k8s/overlays/development', 'weir-development'],
  ['k8s/overlays/production', 'weir'],
] as const) {
  test(`O06 ${folder}: its namespace takes only pods that are restricted`, () => {
    const { labels } = named(builds[folder]?.manifests ?? [], 'Namespace', name).metadata
    strictEqual(labels?.['pod-security.kubernetes.io/enforce'], 'restricted')
  })
}
