/**
 * A reader of our own kustomizations: the few features that they use, and an error for any other. What it leaves out is
 * the hash at the end of generated names, which kustomize puts on the name and on what refers to it alike.
 */
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { root } from '../architecture/source-file.ts'
import { type JsonOperation, patched } from './json-patch.ts'
import type { Labels, Manifest } from './manifest.ts'

interface Generator {
  readonly name: string
  readonly behavior?: 'create' | 'merge' | 'replace'
  readonly literals?: readonly string[]
  readonly files?: readonly string[]
  readonly options?: { readonly disableNameSuffixHash: boolean }
}

interface Kustomization {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace?: string
  readonly resources: readonly string[]
  readonly images?: readonly { readonly name: string; readonly newTag: string }[]
  readonly configMapGenerator?: readonly Generator[]
  readonly secretGenerator?: readonly Generator[]
  readonly patches?: readonly {
    readonly target?: { readonly kind: string; readonly name: string }
    readonly patch: string
  }[]
}

export interface Built {
  readonly manifests: readonly Manifest[]
  /** Every file that was read, from the root of the repository. */
  readonly files: readonly string[]
}

const known: Readonly<Record<string, readonly string[]>> = {
  kustomization: [
    ...['apiVersion', 'kind', 'namespace', 'resources', 'images'],
    ...['configMapGenerator', 'secretGenerator', 'patches'],
  ],
  generator: ['name', 'behavior', 'literals', 'files', 'options'],
  'options of a generator': ['disableNameSuffixHash'],
  image: ['name', 'newTag'],
  patch: ['target', 'patch'],
  target: ['kind', 'name'],
}

/** `folder` is from the root of the repository. Throws where a file is missing, or where it meets what it does not know. */
export function build(folder: string): Built {
  const path = `${folder}/kustomization.yaml`
  const kustomization: Kustomization = parse(readFile(path))
  insistOnKnown('kustomization', kustomization)
  const files = [path]
  let manifests: readonly Manifest[] = []
  for (const resource of kustomization.resources) {
    const at = join(folder, resource).replaceAll('\\', '/')
    const built = resource.endsWith('.yaml') ? { manifests: readManifests(at), files: [at] } : build(at)
    manifests = [...manifests, ...built.manifests]
    files.push(...built.files)
  }
  for (const [kind, generators] of [
    ['ConfigMap', kustomization.configMapGenerator ?? []],
    ['Secret', kustomization.secretGenerator ?? []],
  ] as const) {
    for (const generator of generators) {
      manifests = generated(manifests, kind, { generator, folder })
      files.push(...(generator.files ?? []).map(file => `${folder}/${file}`))
    }
  }
  for (const patch of kustomization.patches ?? []) manifests = withPatch(manifests, patch)
  for (const image of kustomization.images ?? []) manifests = withImage(manifests, image)
  return { manifests: manifests.map(manifest => inNamespace(manifest, kustomization.namespace)), files }
}

/** Every manifest of a file. Throws on what YAML has against it, such as a key that is there twice. */
function readManifests(path: string): readonly Manifest[] {
  return parseAllDocuments(readFile(path), { merge: false }).map(document => {
    const [problem] = [...document.errors, ...document.warnings]
    if (problem) throw new Error(`${path}: ${problem.message}`)
    return document.toJS() as Manifest
  })
}

const readFile = (path: string) => readFileSync(join(root, path), 'utf8')

function insistOnKnown(what: string, value: object): void {
  const strange = Object.keys(value).filter(key => !known[what]?.includes(key))
  if (strange.length > 0) throw new Error(`teach this reader ${strange.join(', ')} of a ${what}`)
}

type From = { readonly generator: Generator; readonly folder: string }

function generated(manifests: readonly Manifest[], kind: 'ConfigMap' | 'Secret', from: From): readonly Manifest[] {
  const { name, behavior = 'create', literals = [], files = [], options } = from.generator
  insistOnKnown('generator', from.generator)
  if (options) insistOnKnown('options of a generator', options)
  const own: Labels = Object.fromEntries([
    ...literals.map(literal => [literal.split('=', 1)[0], literal.slice(literal.indexOf('=') + 1)]),
    ...files.map(file => [basename(file), readFile(`${from.folder}/${file}`)]),
  ])
  const place = kind === 'Secret' ? 'stringData' : 'data'
  const former = manifests.find(({ kind: other, metadata }) => other === kind && metadata.name === name)
  if ((former === undefined) !== (behavior === 'create')) throw new Error(`${behavior} ${kind} ${name}: it is not so`)
  const before: Labels = former !== undefined && behavior === 'merge' ? Reflect.get(former, place) : {}
  const made = { apiVersion: 'v1', kind, metadata: { name }, [place]: { ...before, ...own } }
  return [...manifests.filter(manifest => manifest !== former), made]
}

type Patch = NonNullable<Kustomization['patches']>[number]

function withPatch(manifests: readonly Manifest[], { target, patch, ...others }: Patch): readonly Manifest[] {
  insistOnKnown('patch', { target, patch, ...others })
  const content: unknown = parse(patch)
  if (target === undefined) return withoutDeleted(manifests, content as Manifest & Deletion)
  insistOnKnown('target', target)
  const isMeant = ({ kind, metadata }: Manifest) => kind === target.kind && metadata.name === target.name
  if (!manifests.some(isMeant)) throw new Error(`there is no ${target.kind} ${target.name} to be patched`)
  return manifests.map(manifest =>
    isMeant(manifest) ? patched(manifest, content as readonly JsonOperation[]) : manifest,
  )
}

interface Deletion {
  readonly $patch?: string
}

function withoutDeleted(manifests: readonly Manifest[], { $patch, kind, metadata }: Manifest & Deletion) {
  if ($patch !== 'delete') throw new Error('teach this reader patches that merge')
  const left = manifests.filter(manifest => manifest.kind !== kind || manifest.metadata.name !== metadata.name)
  if (left.length !== manifests.length - 1) throw new Error(`there is no ${kind} ${metadata.name} to be deleted`)
  return left
}

type Image = NonNullable<Kustomization['images']>[number]

/** In every container, as kustomize does it. */
function withImage(manifests: readonly Manifest[], image: Image): readonly Manifest[] {
  insistOnKnown('image', image)
  const text = JSON.stringify(manifests)
  const named = `"image":${JSON.stringify(image.name)}`
  if (!text.includes(named)) throw new Error(`no container has the image ${image.name}`)
  return JSON.parse(text.replaceAll(named, `"image":${JSON.stringify(`${image.name}:${image.newTag}`)}`))
}

/** kustomize renames a Namespace as well. */
function inNamespace(manifest: Manifest, namespace: string | undefined): Manifest {
  if (namespace === undefined) return manifest
  const place = manifest.kind === 'Namespace' ? { name: namespace } : { namespace }
  return { ...manifest, metadata: { ...manifest.metadata, ...place } }
}

/** The kustomizations there are, and what becomes of each. */
export const builds: Readonly<Record<string, Built>> = Object.fromEntries(
  globSync('k8s/**/kustomization.yaml', { cwd: root })
    .map(path => path.replaceAll('\\', '/').replace('/kustomization.yaml', ''))
    .toSorted()
    .map(folder => [folder, build(folder)]),
)
