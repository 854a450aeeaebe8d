import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { FromProbe, ProbeOptions } from './probe-protocol.ts'

export interface ProbeThread {
  readonly url: string
  close(): Promise<void>
}

/** Fulfilled when it listens; rejects as a server in this thread would where it cannot. `onDeath` is told if it ends. */
export async function startProbeThread(options: ProbeOptions, onDeath: (error: Error) => void): Promise<ProbeThread> {
  const worker = new Worker(new URL('./probe-worker.ts', import.meta.url), { workerData: options, name: 'probes' })
  const [message]: FromProbe[] = await once(worker, 'message')
  if (message?.kind !== 'listening') {
    await worker.terminate()
    throw Object.assign(new Error(message?.message), message?.details)
  }
  let isClosed = false
  worker.on('error', error => onDeath(error instanceof Error ? error : new Error(String(error))))
  worker.on('exit', code => isClosed || onDeath(new Error(`it ended with code ${code}`)))
  worker.unref()
  const host = message.address.includes(':') ? `[${message.address}]` : message.address
  return {
    url: `http://${host}:${message.port}`,
    close: async () => {
      isClosed = true
      await worker.terminate()
    },
  }
}
