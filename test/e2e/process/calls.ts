/** What the tests of the process ask a running gateway. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import OpenAI from 'openai'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { eventually } from '../../support/eventually.ts'
import type { GatewayProcess } from '../../support/gateway-process.ts'

export const adminKey = 'test-admin-key-0123456789-0123456789'
export const pepper = 'test-pepper-0123456789-0123456789-0123'

export const sdk = (url: string, apiKey: string) =>
  new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0, timeout: 60_000 })

/** The key that the first start shows on stderr. */
export async function shownKey({ stderr }: GatewayProcess): Promise<string> {
  const find = () => /sk-weir-\w{16}-\w{54}/.exec(stderr.join('\n'))?.[0] ?? ''
  return await eventually('the first key is shown', find, { withinMs: 30_000 })
}

/** The status of an authenticated request, on a connection of its own. */
export async function statusWith(url: string, key: string): Promise<number> {
  const response = await boundedFetch(`${url}/v1/models`, {
    headers: { authorization: `Bearer ${key}`, connection: 'close' },
  })
  await response.arrayBuffer()
  return response.status
}

export async function health(url: string, path: '/health' | '/health/live' | '/health/ready' = '/health/ready') {
  const response = await boundedFetch(url + path, { headers: { connection: 'close' } })
  const { status }: { status: string } = JSON.parse(await response.text())
  return { code: response.status, status }
}

export async function untilReady(url: string, withinMs = 30_000): Promise<void> {
  await eventually('it is ready', async () => (await health(url)).code === 200, { withinMs, everyMs: 20 })
}

/** A streamed chat as an undecoded answer; the caller reads it. */
export async function openStream(url: string, key: string, body: object = {}): Promise<Response> {
  const messages = [{ role: 'user', content: 'hi' }]
  const response = await boundedFetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'tinychat', stream: true, messages, ...body }),
  })
  assert.equal(response.status, 200)
  return response
}

/** Whether the process runs; one that has ended and was not yet asked for its exit code does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    if (process.platform !== 'linux') return true
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z'
  } catch {
    return false
  }
}
