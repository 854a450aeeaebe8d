/** A thread that answers probes while the main one cannot, and says so. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import type { FromProbe, ProbeOptions } from './probe-protocol.ts'
import { VitalSigns } from './vital-signs.ts'

/** Without a beat for so long the process is taken for dead: a restart loses what it does, so not for a mere pause. */
const deadAfterMs = 30_000
/** Without a beat for so long it gets nothing new. */
const blockedAfterMs = 1000

const { memory, host, port }: ProbeOptions = workerData
const signs = new VitalSigns(memory)

const server = createServer(
  { requestTimeout: 5000, connectionsCheckingInterval: 1000 },
  ({ method, url }, response) => {
    if (method !== 'GET' && method !== 'HEAD') return answer(response, 405, 'use GET')
    switch (url?.split('?', 1)[0]) {
      case '/health/live':
        return signs.ageMs <= deadAfterMs ? answer(response, 200, 'ok') : answer(response, 503, 'blocked')
      case '/health/ready': {
        if (signs.ageMs > blockedAfterMs) return answer(response, 503, 'blocked')
        const { verdict } = signs
        return verdict === 'ready' ? answer(response, 200, 'ok') : answer(response, 503, verdict)
      }
      default:
        return answer(response, 404, 'only /health/live and /health/ready are here')
    }
  },
)
// Probes are few: more than that is somebody else.
server.maxConnections = 64
server.on('error', ({ message, ...details }) => tell({ kind: 'failed', message, details }))
server.listen({ host, port }, () => {
  const bound = server.address() as AddressInfo
  tell({ kind: 'listening', address: bound.address, port: bound.port })
})

function tell(message: FromProbe): void {
  parentPort?.postMessage(message)
}

function answer(response: ServerResponse, status: number, text: string): void {
  const body = JSON.stringify({ status: text })
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
  })
  response.end(body)
}
