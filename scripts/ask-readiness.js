// The HEALTHCHECK of the image: ends with 0 where Weir is ready for requests, else with 1. It asks the port that the
// environment names, which in the image is always there, and needs neither curl nor a shell.
import { get } from 'node:http'

const { PROBE_PORT, INTERNAL_PORT, PORT, INTERNAL_HOST, HOST } = process.env
const maxWaitMs = 2000
const host = PROBE_PORT || INTERNAL_PORT ? INTERNAL_HOST : HOST
const request = get({
  // All addresses are listened on, or loopback by default: this process is on the same machine.
  host: !host || host === '0.0.0.0' ? '127.0.0.1' : host,
  port: PROBE_PORT || INTERNAL_PORT || PORT || 4000,
  path: '/health/ready',
  timeout: maxWaitMs,
})
request.on('timeout', () => request.destroy(new Error(`no answer within ${maxWaitMs} ms`)))
request.on('error', ({ message }) => {
  process.stderr.write(`not ready: ${message}\n`)
  process.exitCode = 1
})
request.on('response', response => {
  response.resume()
  if (response.statusCode === 200) return
  process.stderr.write(`not ready: ${response.statusCode}\n`)
  process.exitCode = 1
})
