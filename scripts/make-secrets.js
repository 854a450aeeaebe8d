// `node scripts/make-secrets.js FOLDER`: makes the secrets that compose.yaml wants, at random, in the place of those in
// deploy/compose/secrets, which everybody knows. Name the folder in .env as SECRETS_DIR. It replaces no file that is there:
// whoever loses the pepper loses all API keys, and a database keeps the password that it was made with.
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const known = new URL('../deploy/compose/secrets/', import.meta.url)
const random = () => randomBytes(32).toString('hex')
const [folder] = process.argv.slice(2)
if (folder === undefined) fail('Usage: node scripts/make-secrets.js FOLDER')

const databasePassword = random()
const redisPassword = random()
const secrets = {
  'admin-key': random(),
  'key-pepper': random(),
  'grafana-password': random(),
  'database-password': databasePassword,
  'database-url': `postgresql://weir:${databasePassword}@postgres:5432/weir`,
  'redis-url': `redis://weir:${redisPassword}@redis:6379`,
  // The rights stay those that are known to be enough.
  'redis-users': readFileSync(new URL('redis-users', known), 'utf8').trimEnd().replace(/ >\S+/, ` >${redisPassword}`),
}

const there = Object.keys(secrets).filter(name => existsSync(join(folder, name)))
if (there.length > 0) fail(`${folder} already has ${there.join(', ')}: name a folder that has none of them`)
mkdirSync(folder, { recursive: true })
// The folder is its owner's alone. In a container each file is mounted by itself, for a user who is somebody else.
chmodSync(folder, 0o700)
for (const [name, text] of Object.entries(secrets)) {
  writeFileSync(join(folder, name), `${text}\n`)
  chmodSync(join(folder, name), 0o444)
}
process.stdout.write(`${Object.keys(secrets).length} secrets are in ${resolve(folder)}\n`)

function fail(reason) {
  process.stderr.write(`${reason}\n`)
  process.exit(1)
}
