import { strictEqual } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../architecture/source-file.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { builds } from './kustomize.ts'
import type { Manifest } from './manifest.ts'

const packages: Readonly<Record<string, string>> = {
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'external-secrets.io': '@kubernetes-models/external-secrets',
}

/** `apps/v1` → `kubernetes-models/apps/v1`. */
const moduleOf = ({ apiVersion, kind }: Manifest) =>
  `${packages[apiVersion.split('/', 1)[0] ?? ''] ?? 'kubernetes-models'}/${apiVersion}/${kind}`

/** A program in which every manifest is a constant of the type that Kubernetes gives its kind. */
function programOf(all: readonly { readonly folder: string; readonly manifest: Manifest }[]): string {
  const kinds = new Map(all.map(({ manifest }) => [manifest.kind, moduleOf(manifest)]))
  const imports = [...kinds].map(([kind, path]) => `import type { I${kind} } from '${path}'`)
  const constants = all.map(
    ({ folder, manifest }, index) =>
      `/* ${folder} ${manifest.metadata.name} */ export const m${index}: I${manifest.kind} = ${JSON.stringify(manifest)}`,
  )
  return [...imports, ...constants].join('\n')
}

/** What the compiler says of it, nothing where it is right; also of a misspelt key, which a cluster may ignore. */
async function complaintsAbout(folder: string, program: string): Promise<string> {
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
  writeFileSync(join(folder, 'manifests.ts'), program)
  const compilerOptions = { strict: true, noEmit: true, skipLibCheck: true, module: 'nodenext', types: [] }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['manifests.ts'] }))
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const run = promisify(execFile)(process.execPath, [compiler, '-p', folder], { timeout: 60_000 })
  return await run.then(
    ({ stdout }) => stdout,
    (error: { readonly stdout?: string; readonly message: string }) => error.stdout || error.message,
  )
}

const all = Object.entries(builds).flatMap(([folder, { manifests }]) =>
  manifests.map(manifest => ({ folder, manifest })),
)

test('O06 every manifest is of the type that Kubernetes has for its kind', async t => {
  strictEqual(await complaintsAbout(makeTempDir(t), programOf(all)), '')
})

test('a key that a kind does not have is seen', async t => {
  const metadata = { name: 'weir', lables: {} }
  const manifest = { apiVersion: 'v1', kind: 'ServiceAccount', metadata }
  const complaints = await complaintsAbout(makeTempDir(t), programOf([{ folder: 'none', manifest }]))
  strictEqual(/error TS2353.*'"?lables"?'/.test(complaints), true, complaints)
})
