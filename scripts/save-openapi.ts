/**
 * `node scripts/save-openapi.ts FOLDER FILE`: starts the Weir whose source is in FOLDER, asks it for its OpenAPI document and
 * writes that to FILE. For a comparison of two versions; FOLDER has its packages installed.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'

const [folder, file] = process.argv.slice(2)
if (folder === undefined || file === undefined) throw new Error('Usage: node scripts/save-openapi.ts FOLDER FILE')

const maxStartMs = 120_000
const dataDir = mkdtempSync(join(tmpdir(), 'weir-openapi-'))
// A backend that nobody is behind: it needs no engine to say what its API is.
const env = { PATH: process.env.PATH, PORT: '0', WEIR_DATA_DIR: dataDir, WEIR_BACKEND_URL: 'http://127.0.0.1:9' }
const child = spawn(process.execPath, [join(resolve(folder), 'src/server.ts')], {
  cwd: dataDir,
  env,
  stdio: ['ignore', 'pipe', 'pipe'],
})
const complaints = text(child.stderr)
const overdue = setTimeout(() => child.kill('SIGKILL'), maxStartMs)
try {
  const document = await askFor(new URL('/openapi.json', await addressOf()))
  writeFileSync(file, `${JSON.stringify(JSON.parse(document), null, 2)}\n`)
  process.stdout.write(`${file}: ${document.length} characters\n`)
} finally {
  clearTimeout(overdue)
  child.kill()
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  rmSync(dataDir, { recursive: true, force: true })
}

/** Its log says where it listens. */
async function addressOf(): Promise<string> {
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, url } = JSON.parse(line)
    if (msg === 'listening') return url
  }
  throw new Error(`Weir ended before it listened:\n${await complaints}`)
}

async function askFor(url: URL): Promise<string> {
  const [response] = await once(get(url), 'response')
  if (response.statusCode !== 200) throw new Error(`${url} answers ${response.statusCode}`)
  return await text(response)
}
