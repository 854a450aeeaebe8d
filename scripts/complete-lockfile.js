// After a change of dependencies: `node scripts/complete-lockfile.js`.
//
// Where npm cannot see a package made for another platform it leaves it out of the lockfile, and `npm ci` then refuses the
// whole lockfile on every platform. This adds what is missing: name, version and platform, read from the package's name.
// Such an entry has no integrity; the platforms that can see the package fill it in.
import { readFileSync, writeFileSync } from 'node:fs'

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8'))
const added = []

for (const [place, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const own = `node_modules/${name}`
    const platform = /-(android|darwin|linux|win32)-(arm64|x64)(-musl)?$/.exec(name)
    if (place === '' || platform === null || own in lock.packages || `${place}/${own}` in lock.packages) continue
    const [, os, cpu, musl] = platform
    lock.packages[own] = {
      version,
      cpu: [cpu],
      ...(entry.dev ? { dev: true } : {}),
      ...(musl ? { libc: ['musl'] } : {}),
      license: entry.license,
      optional: true,
      os: [os],
    }
    added.push(name)
  }
}

if (added.length > 0) {
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
}
process.stdout.write(`${added.length} entries added${added.length > 0 ? `: ${added.join(', ')}` : ''}\n`)
