/** A real Prometheus, and what it says of our rules and panels. */
import { spawn } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { boundedFetch } from './bounded-fetch.ts'
import { onEnd } from './cleanup.ts'
import { startDaemon } from './daemon.ts'
import { within } from './inbox.ts'
import { findPrometheus } from './prometheus-programs.ts'

/** Of the repository. */
export const monitoring = fileURLToPath(new URL('../../monitoring/', import.meta.url))

const maxPromtoolMs = 60_000

/** What promtool says, both streams together, and its exit code. */
export async function promtool(args: readonly string[], input = ''): Promise<{ code: number | null; output: string }> {
  const { promtool: program } = await findPrometheus()
  const child = spawn(program, args, { cwd: monitoring, stdio: ['pipe', 'pipe', 'pipe'], timeout: maxPromtoolMs })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', part => {
      output += part
    })
  }
  // Whoever does not read it all says why by its exit code.
  child.stdin.on('error', () => undefined).end(input)
  const closed = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  const code = await within(closed, 2 * maxPromtoolMs, () => `promtool ${args.join(' ')} does not end:\n${output}`)
  return { code, output }
}

/** One series of an answer. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Prometheus {
  readonly url: string
  /** All that an expression comes to now; rejects with what Prometheus objects to. */
  query(expression: string): Promise<readonly Sample[]>
  get(path: string): Promise<unknown>
}

/** One that is configured by this text, in a folder of its own. It is gone when the test ends. */
export async function startPrometheus(t: TestContext, configuration: string): Promise<Prometheus> {
  const { prometheus } = await findPrometheus()
  const folder = await mkdtemp(join(tmpdir(), 'weir-test-prometheus-'))
  await writeFile(join(folder, 'prometheus.yml'), configuration)
  const server = await startDaemon({
    name: 'Prometheus',
    folder,
    command: prometheus,
    args: port => [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    readyText: 'Server is ready to receive web requests',
    stopSignal: 'SIGTERM',
    url: port => `http://127.0.0.1:${port}`,
  })
  onEnd(t, () => server.remove())
  return { url: server.url, query: expression => ask(server.url, expression), get: path => get(server.url, path) }
}

interface Answer {
  readonly status: 'success' | 'error'
  readonly error?: string
  readonly data?: unknown
}

async function get(url: string, path: string, init: RequestInit = {}): Promise<unknown> {
  const answer = (await (await boundedFetch(`${url}/api/v1/${path}`, init)).json()) as Answer
  if (answer.status !== 'success') throw new Error(`Prometheus: ${answer.error}`)
  return answer.data
}

interface Queried {
  readonly resultType: 'vector' | 'scalar' | 'matrix' | 'string'
  readonly result: readonly { readonly metric: Record<string, string>; readonly value: readonly [number, string] }[]
}

async function ask(url: string, expression: string): Promise<readonly Sample[]> {
  const body = new URLSearchParams({ query: expression })
  const { resultType, result } = (await get(url, 'query', { method: 'POST', body })) as Queried
  if (resultType !== 'vector') throw new Error(`${expression} is a ${resultType}`)
  return result.map(({ metric, value: [, text] }) => ({ labels: metric, value: Number(text) }))
}
