// Runs before every npm script, on whatever Node the machine has (20 or newer), so it is plain JavaScript and uses
// nothing from node_modules. It makes `npm start` and `npm test` work on a bare clone: when node_modules does not match
// the lockfile it runs `npm ci`, which also brings the Node that Weir runs on (see optionalDependencies).
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const stampPath = join(root, 'node_modules', '.weir-lockfile-sha256')

/** The digest of what `npm ci` installs from: the lockfile and the manifest it must agree with. */
function wantedStamp() {
  const hash = createHash('sha256')
  for (const name of ['package-lock.json', 'package.json']) hash.update(readFileSync(join(root, name)))
  return hash.digest('hex')
}

function installedStamp() {
  try {
    return readFileSync(stampPath, 'utf8')
  } catch {
    return ''
  }
}

const wanted = wantedStamp()
if (installedStamp() !== wanted) {
  process.stderr.write('weir: installing dependencies (npm ci), once …\n')
  // Production images install themselves with --omit; the flags reach npm ci through the environment.
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (npm.status !== 0) {
    process.stderr.write('weir: npm ci failed; run it by hand in this folder to see why\n')
    process.exit(npm.status ?? 1)
  }
  writeFileSync(stampPath, wanted)
}
