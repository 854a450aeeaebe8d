/** A whole gateway in this process, listening on a free port, with a real database of its own. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import OpenAI from 'openai'
import { buildApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { buildLog } from '../../src/log/build-log.ts'
import { Readiness } from '../../src/readiness.ts'
import { onEnd } from './cleanup.ts'
import { type Contract, contractOf } from './contract.ts'
import { copyEmbedded } from './embedded-template.ts'
import { createMigratedDatabase } from './services.ts'
import { buildValidatedFetch } from './validated-fetch.ts'

export const adminKey = 'test-admin-key-0123456789-0123456789'

export interface GatewayOptions {
  /** On the embedded database, and not on PostgreSQL. */
  readonly isEmbedded?: boolean
  /** Variables beside those that every test gateway has. */
  readonly env?: Record<string, string>
  /** The text of its weir.yaml. */
  readonly yaml?: string
  /** Called before it listens, to add what a test needs beside the routes there are. */
  readonly prepare?: (app: FastifyInstance) => void
}

export interface Gateway {
  readonly app: FastifyInstance
  /** Without a path: `http://127.0.0.1:PORT`. */
  readonly url: string
  readonly port: number
  readonly internalUrl: string | null
  readonly readiness: Readiness
  /** The official SDK, as an administrator; it does not try again unless told to. Its answers are held to the contract. */
  readonly openai: OpenAI
  /** For what the SDK does not send: its answers, too, are held to the OpenAPI document. */
  readonly fetch: typeof fetch
  /** Every line of its log so far. */
  readonly logLines: Record<string, unknown>[]
  readonly dataDir: string
  /** Puts another text into weir.yaml, in one step. */
  readonly writeYaml: (text: string) => void
}

export async function buildGateway(t: TestContext, options: GatewayOptions = {}): Promise<Gateway> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-gateway-'))
  const dataDir = join(folder, 'data')
  if (options.isEmbedded) await copyEmbedded(dataDir)
  if (options.yaml !== undefined) writeFileSync(join(folder, 'weir.yaml'), options.yaml)
  const writeYaml = (text: string) => {
    writeFileSync(join(folder, 'weir.yaml.new'), text)
    renameSync(join(folder, 'weir.yaml.new'), join(folder, 'weir.yaml'))
  }
  const env = {
    HOST: '127.0.0.1',
    PORT: '0',
    WEIR_DATA_DIR: dataDir,
    WEIR_ADMIN_KEY: adminKey,
    WEIR_KEY_PEPPER: 'test-pepper-0123456789-0123456789-0123',
    ...(options.isEmbedded ? {} : { DATABASE_URL: await createMigratedDatabase(t) }),
    // Tests ask more in a minute than any caller, and much of it is wrong: who tests the guard turns it on.
    FLOOD_GUARD_REQUESTS: '0',
    FLOOD_GUARD_FAILURES: '0',
    ...options.env,
  }
  const read = () => loadConfig({ argv: [], env, cwd: folder })
  const loaded = read()
  const { config } = loaded
  const logLines: Record<string, unknown>[] = []
  const log = buildLog({ level: config.log.level, destination: collectLines(logLines) })
  const readiness = new Readiness()
  readiness.state = 'ready'
  const app = await buildApp({ loaded, read, log, readiness, version: '0.0.0-test' })
  onEnd(t, async () => {
    await app.close()
    rmSync(folder, { recursive: true, force: true })
  })
  options.prepare?.(app)
  const url = await app.listen({ host: config.server.host, port: config.server.port })
  const internalUrl = await app.internalListener.listen()
  await app.database.firstContact
  let contract: Contract | undefined
  const validated = buildValidatedFetch(t, () => {
    contract ??= contractOf(app.swagger())
    return contract
  })
  const openai = new OpenAI({ apiKey: adminKey, baseURL: `${url}/v1`, maxRetries: 0, fetch: validated })
  const port = Number(new URL(url).port)
  return { app, url, port, internalUrl, readiness, openai, fetch: validated, logLines, dataDir, writeYaml }
}

function collectLines(lines: Record<string, unknown>[]): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString('utf8').split('\n')) if (line !== '') lines.push(JSON.parse(line))
      done()
    },
  })
}
