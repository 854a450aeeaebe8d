/** Sends payloads byte for byte, and finds out how many answers each got and what of it reached the gateway. */
import type { TestContext } from 'node:test'
import { connectRaw } from '../../support/raw-client.ts'
import { hiddenPath, number, type Payload } from '../../support/smuggling.ts'

export interface Outcome {
  readonly name: string
  /** Of its answers, in their order, without 100s. */
  readonly statuses: readonly number[]
  /** The URLs of the requests that the gateway took it for. */
  readonly reached: readonly string[]
  /** Whether the hidden request was one of them. */
  readonly isHiddenReached: boolean
}

/** Longer than any answer takes here. */
const quietMs = 700
const atOnce = 60

/** `reached` has all URLs that came to the gateway, and is read when all have been sent. */
export async function sendAll(
  t: TestContext,
  url: string,
  payloads: readonly Payload[],
  reached: readonly string[],
): Promise<Outcome[]> {
  const statuses: number[][] = []
  let next = 0
  const worker = async () => {
    for (let at = next++; at < payloads.length; at = next++) {
      const client = await connectRaw(t, url)
      client.send(payloads[at]?.bytes(at) ?? '')
      await client.responses(quietMs)
      const heads = client.received.toString('latin1').matchAll(/HTTP\/1\.[01] (\d{3})/g)
      statuses[at] = [...heads].map(([, status]) => Number(status)).filter(status => status !== 100)
      client.destroy()
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return payloads.map(({ name }, at) => {
    const hiddenUrl = `${hiddenPath}/${number(at)}`
    const mine = reached.filter(target => target === hiddenUrl || target.includes(`case=${number(at)}`))
    return { name, statuses: statuses[at] ?? [], reached: mine, isHiddenReached: mine.includes(hiddenUrl) }
  })
}
