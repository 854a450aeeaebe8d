// Runs before every npm script, on whatever Node the machine has (20 or newer), so it is plain JavaScript and uses
// nothing from node_modules. It makes `npm start` and `npm test` work on a bare clone: when node_modules does not have what
// the lockfile wants it runs `npm ci`, which also brings the Node that Weir runs on (see optionalDependencies).
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
// What is only for development may be missing where the server is to run: an image was built without it.
const needsDev = /^pre(test|check)/.test(process.env.npm_lifecycle_event ?? '')

if (!isInstalled() || !hasRecentNode()) {
  install()
  if (!hasRecentNode()) fail(`Node 24.17 or newer is needed, this is ${process.versions.node}, and npm brought none`)
}

/** Whether what npm noted when it installed last is what the lockfile wants; packages beyond that do no harm. */
function isInstalled() {
  const installed = readPackages('node_modules/.package-lock.json')
  const hasOptional = [...installed.values()].some(entry => entry.optional && !entry.dev)
  const isFine = (wanted, found) => {
    if (found !== undefined) return wanted.version === found.version && wanted.integrity === found.integrity
    if (wanted.dev && !needsDev) return true
    // Left out on purpose, or for another platform.
    if (wanted.optional) return !hasOptional || !isForThisMachine(wanted)
    return wanted.peer === true || wanted.devOptional === true
  }
  return installed.size > 0 && [...readPackages('package-lock.json')].every(([at, it]) => isFine(it, installed.get(at)))
}

/** The packages of a lockfile by their place, such as `node_modules/fastify`. */
function readPackages(path) {
  try {
    const { packages } = JSON.parse(readFileSync(join(root, path), 'utf8'))
    return new Map(Object.entries(packages).filter(([at]) => at !== ''))
  } catch {
    return new Map()
  }
}

/** Which C library there is cannot be told from here, so such a package is not missed. */
function isForThisMachine({ os, cpu, libc }) {
  const fits = (wanted, own) => wanted === undefined || [wanted].flat().includes(own)
  return fits(os, process.platform) && fits(cpu, process.arch) && libc === undefined
}

/** Whether there is a Node that runs TypeScript as it is; npm scripts find the one in node_modules first. */
function hasRecentNode() {
  const isRecent = major > 24 || (major === 24 && minor >= 17)
  const name = process.platform === 'win32' ? 'node.cmd' : 'node'
  return isRecent || existsSync(join(root, 'node_modules', '.bin', name))
}

function install() {
  process.stderr.write('weir: installing dependencies (npm ci), once …\n')
  // Who builds an image sets NPM_CONFIG_OMIT; that and all else reaches npm ci through the environment.
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (npm.status !== 0) fail(`npm ci failed${npm.error ? ` (${npm.error.message})` : ', for the reason above'}`)
}

function fail(reason) {
  process.stderr.write(`weir: ${reason}\n`)
  process.exit(1)
}
