/**
 * What one replica takes: `node bench/gateway.ts`, on Linux. Starts a gateway with embedded stores and one with a PostgreSQL
 * and a Redis, each before a backend that answers at once, and prints a table for bench/README.md.
 *
 * CPU is that of the gateway's process by /proc, its threads included, so it says the same on a busy machine.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { Agent, request } from 'undici'
import { startPostgresServer } from '../test/support/postgres-server.ts'
import { startRedisServer } from '../test/support/redis-server.ts'

const server = fileURLToPath(new URL('../src/server.ts', import.meta.url))
const key = 'bench-admin-key-0123456789-0123456789'
const idleMs = 5000
const warmUpMs = 3000
const measuredMs = 10_000
const callers = 32
const streams = 1000
const eventsPerSecond = 20
const ticksPerSecond = 100
const megabyte = 2 ** 20

const last = [{ index: 0, delta: {}, finish_reason: 'stop' }]
const usage = { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 }
const eventOf = (delta: object, more: object = {}) =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: null }], ...more })}\n\n`

/** A whole answer at once, or a stream that goes on until it is told to end. */
async function startBackend() {
  const open = new Set<ServerResponse>()
  const backend = createServer((incoming, reply) => {
    if (incoming.url === '/v1/models') {
      reply.setHeader('content-type', 'application/json')
      reply.end('{"object":"list","data":[{"id":"m","object":"model"}]}')
      return
    }
    // What other engines are asked.
    if (incoming.method !== 'POST') {
      reply.statusCode = 404
      reply.end()
      return
    }
    let body = ''
    incoming.on('data', (bytes: Buffer) => {
      body += bytes
    })
    incoming.on('end', () => {
      const { stream } = JSON.parse(body) as { readonly stream?: boolean }
      if (stream === true) {
        reply.setHeader('content-type', 'text/event-stream')
        reply.write(eventOf({ role: 'assistant', content: 'a' }))
        open.add(reply)
        reply.on('close', () => open.delete(reply))
        return
      }
      const message = { role: 'assistant', content: 'word '.repeat(20) }
      const choices = [{ index: 0, message, finish_reason: 'stop' }]
      reply.setHeader('content-type', 'application/json')
      reply.end(JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'm', choices, usage }))
    })
  })
  await once(backend.listen(0, '127.0.0.1', 4096), 'listening')
  const { port } = backend.address() as AddressInfo
  const end = () => {
    for (const reply of open)
      reply.end(`${eventOf({}, { choices: last })}${eventOf({}, { choices: [], usage })}data: [DONE]\n\n`)
  }
  let sent = 0
  const tick = () => {
    for (const reply of open) reply.write(eventOf({ content: 'word ' }))
    sent += open.size
  }
  return { url: `http://127.0.0.1:${port}`, open, tick, end, sent: () => sent, close: () => backend.close() }
}

type Backend = Awaited<ReturnType<typeof startBackend>>

async function startReplica(backend: Backend, stores: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  const own = {
    HOST: '127.0.0.1',
    PORT: '0',
    FLOOD_GUARD_REQUESTS: '0',
    WEIR_ADMIN_KEY: key,
    WEIR_KEY_PEPPER: `${key}-`,
  }
  const env = { PATH: process.env['PATH'], WEIR_BACKEND_URL: backend.url, NODE_ENV: 'production', ...own, ...stores }
  const child = spawn(process.execPath, [server], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  // Also where this process fails.
  process.once('exit', () => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })
  const url = await new Promise<string>(resolve =>
    lines.on('line', line => {
      const { msg, url: at } = JSON.parse(line) as { readonly msg: string; readonly url: string }
      if (msg === 'listening') resolve(at)
    }),
  )
  const numbersOf = (file: string) => readFileSync(`/proc/${child.pid}/${file}`, 'utf8')
  return {
    url,
    /** Since it began, in seconds: the 14th and 15th field, counted behind the name, which may have spaces. */
    cpuSeconds() {
      const fields = numbersOf('stat').split(') ')[1]?.split(' ') ?? []
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
    },
    rssBytes: () => Number(/VmRSS:\s+(\d+) kB/.exec(numbersOf('status'))?.[1]) * 1024,
    async stop() {
      child.kill()
      await once(child, 'exit')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const chat = (stream: boolean) => ({
  method: 'POST' as const,
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
  body: JSON.stringify({ model: 'm', stream, max_tokens: 20, messages: [{ role: 'user', content: 'Hello there.' }] }),
})

async function measure(name: string, stores: Record<string, string>): Promise<string> {
  const backend = await startBackend()
  const replica = await startReplica(backend, stores)
  const agent = new Agent({ connections: streams + callers, bodyTimeout: 0 })
  const ask = (stream: boolean) => request(`${replica.url}/v1/chat/completions`, { ...chat(stream), dispatcher: agent })
  await delay(idleMs)
  const idle = replica.rssBytes()

  /** How many whole answers there are in so long. */
  async function load(forMs: number): Promise<number> {
    const endMs = performance.now() + forMs
    let count = 0
    async function caller(): Promise<void> {
      while (performance.now() < endMs) {
        const { statusCode, body } = await ask(false)
        const text = await body.text()
        if (statusCode !== 200) throw new Error(`answered ${statusCode}: ${text}`)
        count += 1
      }
    }
    await Promise.all(Array.from({ length: callers }, caller))
    return count
  }
  const answers = await Promise.all(Array.from({ length: streams }, () => ask(true)))
  const ends = answers.map(({ body }) => body.dump({ limit: Number.MAX_SAFE_INTEGER }))
  while (backend.open.size < streams) await delay(10)
  const ticker = setInterval(backend.tick, 1000 / eventsPerSecond)
  await delay(warmUpMs)
  const [streamed, sent] = [replica.cpuSeconds(), backend.sent()]
  await delay(measuredMs)
  const eventUs = ((replica.cpuSeconds() - streamed) * 1e6) / (backend.sent() - sent)
  const perStream = (replica.rssBytes() - idle) / streams
  clearInterval(ticker)
  backend.end()
  await Promise.all(ends)
  await delay(idleMs)
  await load(warmUpMs)
  const before = replica.cpuSeconds()
  const requests = await load(measuredMs)
  const cpuMs = ((replica.cpuSeconds() - before) * 1000) / requests

  const loaded = replica.rssBytes()
  await replica.stop()
  await agent.destroy()
  backend.close()
  const cells = [
    name,
    `${Math.round(idle / megabyte)} MiB`,
    `${Math.round(loaded / megabyte)} MiB`,
    `${Math.round(requests / (measuredMs / 1000))}`,
    cpuMs.toFixed(2),
    `${Math.round(1000 / cpuMs)}`,
    `${Math.round(perStream / 1024)} KiB`,
    eventUs.toFixed(0),
  ]
  return `| ${cells.join(' | ')} |`
}

const [sql, redis] = await Promise.all([startPostgresServer(), startRedisServer()])
try {
  const rows = [
    await measure('embedded stores', {}),
    await measure('PostgreSQL and Redis', { DATABASE_URL: sql.url, REDIS_URL: redis.url }),
  ]
  const head = ['stores', 'RSS idle', 'RSS after load', 'requests/s', 'CPU ms/request', 'requests/s a core']
  const client = postgres(sql.url, { max: 1 })
  const [size] = await client<{ bytes: number }[]>`
    select sum(pg_total_relation_size(inhrelid)) / (select count(*) from usage_events) as bytes
    from pg_inherits where inhparent = 'usage_events'::regclass`
  await client.end()
  process.stdout.write(`A row of usage_events has ${Math.round(Number(size?.bytes))} bytes, with its indexes.\n`)
  process.stdout.write(`| ${[...head, 'RSS a stream', 'CPU µs an event'].join(' | ')} |\n${rows.join('\n')}\n`)
} finally {
  await Promise.all([sql.remove(), redis.remove()])
}
