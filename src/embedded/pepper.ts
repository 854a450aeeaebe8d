import { createSecretKey, randomBytes } from 'node:crypto'
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureDataDir } from '../config/data-dir.ts'
import type { Config } from '../config.ts'
import type { Peppers } from '../domain/api-key.ts'

const minLength = 32

/** Reads the pepper kept in the data directory, or null on the very first start. */
function readPepper(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/** Makes the pepper; of two processes at once one wins, and half a file is never seen. */
function makePepper(file: string): string {
  const unfinished = `${file}.${randomBytes(6).toString('hex')}`
  writeFileSync(unfinished, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx', flush: true })
  try {
    linkSync(unfinished, file)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    rmSync(unfinished)
  }
  return readFileSync(file, 'utf8').trim()
}

/** The former ones are the versions before the current one, in their order. */
function peppersOf(text: string, { previousKeyPeppers: former, keyPepperVersion }: Config['auth']): Peppers {
  const current = keyPepperVersion ?? former.length + 1
  const oldest = current - former.length
  const byVersion = new Map([...former, text].map((each, index) => [oldest + index, createSecretKey(each, 'utf8')]))
  return { current, byVersion }
}

interface PepperConfig extends Pick<Config, 'auth'> {
  readonly stores: Pick<Config['stores'], 'databaseUrl' | 'dataDir'>
}

/**
 * The secrets that key the digests of API keys: from the configuration, else the one in `<dataDir>/pepper`, which is
 * made on first start when the database is embedded. Throws an error that says what to set when there is neither:
 * replicas that share a database must share the pepper, so none can make its own.
 */
export function loadPeppers(config: PepperConfig): Peppers {
  const { keyPepper } = config.auth
  if (keyPepper !== undefined) {
    if (keyPepper.length < minLength) throw new Error(`WEIR_KEY_PEPPER needs at least ${minLength} characters`)
    return peppersOf(keyPepper, config.auth)
  }
  if (config.stores.databaseUrl !== undefined) {
    throw new Error(
      'WEIR_KEY_PEPPER is needed with DATABASE_URL: a secret of at least 32 characters, the same on every replica and ' +
        'for as long as its keys are to work (make one with: openssl rand -base64 32). Coming from the embedded ' +
        `database, it is the text of ${join(config.stores.dataDir, 'pepper')}.`,
    )
  }
  ensureDataDir(config.stores.dataDir)
  const file = join(config.stores.dataDir, 'pepper')
  const pepper = readPepper(file) ?? makePepper(file)
  if (pepper.length < minLength) {
    throw new Error(`${file} does not hold a pepper any more: restore it, or the keys made with it are lost`)
  }
  return peppersOf(pepper, config.auth)
}
