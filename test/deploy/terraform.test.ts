import { deepStrictEqual, match, ok, rejects, strictEqual } from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { root } from '../architecture/source-file.ts'
import { builds } from '../k8s/kustomize.ts'
import { named, ofKind } from '../k8s/manifest.ts'

// Imported with its types it would bring those of browsers into all files.
const { parse }: { parse(name: string, text: string): Promise<object> } = createRequire(import.meta.url)(
  '@cdktf/hcl2json',
)

/** An expression as the parser gives it. */
const expression = (text: string) => `\${${text}}`

interface Variable {
  readonly description?: string
  readonly type?: string
  readonly sensitive?: boolean
  readonly default?: unknown
}

interface Module {
  readonly terraform: readonly { readonly required_version: string; readonly required_providers: readonly object[] }[]
  readonly variable: Readonly<Record<string, readonly Variable[]>>
  readonly resource: Readonly<Record<string, Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>>>
}

const paths = globSync('deploy/terraform/*.tf', { cwd: root })
const texts = paths.map(path => readFileSync(join(root, path), 'utf8'))
let module: Module

before(async () => {
  const parsed = await Promise.all(texts.map((text, index) => parse(paths[index] ?? '', text)))
  module = Object.assign({}, ...parsed)
})

test('O06 the module is HCL, and a mistake in it would be seen', async () => {
  deepStrictEqual(new Set(Object.keys(module)), new Set(['locals', 'output', 'resource', 'terraform', 'variable']))
  await rejects(parse('main.tf', `${texts.join('\n')}\nresource "kubernetes_manifest" {`))
})

test('O06 it names its provider and the versions that it was written for', () => {
  const [settings] = module.terraform
  strictEqual(settings?.required_version, '>= 1.8.0')
  deepStrictEqual(settings?.required_providers, [
    { kubernetes: { source: 'hashicorp/kubernetes', version: '~> 2.38' } },
  ])
})

test('O06 every variable is explained, has a type and is used, and none is used that is not there', () => {
  const used = new Set(texts.join('\n').match(/(?<=\bvar\.)\w+/g))
  deepStrictEqual(used, new Set(Object.keys(module.variable)))
  for (const [name, [variable]] of Object.entries(module.variable)) {
    ok(variable?.description && variable.type, name)
    if (name === 'secrets') deepStrictEqual([variable?.sensitive, variable?.default], [true, null])
  }
})

test('O06 it installs all that an overlay has, the namespace first', () => {
  const resources = Object.entries(module.resource).flatMap(([type, all]) =>
    Object.keys(all).map(name => `${type}.${name}`),
  )
  const expected = ['kubernetes_manifest.all', 'kubernetes_manifest.namespace', 'kubernetes_secret_v1.weir']
  deepStrictEqual(new Set(resources), new Set(expected))
  const [all] = module.resource['kubernetes_manifest']?.['all'] ?? []
  strictEqual(all?.['for_each'], expression('local.others'))
  deepStrictEqual(all?.['depends_on'], ['kubernetes_manifest.namespace', 'kubernetes_secret_v1.weir'].map(expression))
  // Kind and name say which one is meant, so no overlay may have two of both.
  for (const { manifests } of Object.values(builds)) {
    const keys = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`)
    strictEqual(new Set(keys).size, keys.length)
  }
})

test('O06 its secrets are those that the manifests mount, under the same names', () => {
  const production = builds['k8s/overlays/production']?.manifests ?? []
  const [external] = ofKind(production, 'ExternalSecret')
  const wanted = external?.spec.data.map(({ secretKey }) => secretKey) ?? []
  const [secret] = module.resource['kubernetes_secret_v1']?.['weir'] ?? []
  const data = secret?.['data'] as Readonly<Record<string, string>>
  deepStrictEqual(new Set(Object.keys(data)), new Set(wanted))
  for (const [name, value] of Object.entries(data))
    strictEqual(value, expression(`var.secrets.${name.replaceAll('-', '_')}`))
  for (const name of wanted)
    match(module.variable['secrets']?.[0]?.type ?? '', new RegExp(`\\b${name.replaceAll('-', '_')}\\b`))
  const metadata = secret?.['metadata'] as readonly { readonly name: string }[]
  strictEqual(metadata[0]?.name, external?.spec.target.name)
  strictEqual(module.variable['namespace']?.[0]?.default, named(production, 'Namespace', 'weir').metadata.name)
})
