import { readRecording } from './behaviours.ts'

/** The body of a recorded answer, its chunks joined. */
export function recordedBody(name: string): Buffer {
  const raw = readRecording(name)
  const end = raw.indexOf('\r\n\r\n') + 4
  const body = raw.subarray(end)
  if (!/transfer-encoding: chunked/i.test(raw.toString('latin1', 0, end))) return body
  const pieces: Buffer[] = []
  let at = 0
  while (at < body.length) {
    const line = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.toString('latin1', at, line), 16)
    if (!(size > 0)) break
    pieces.push(body.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
  return Buffer.concat(pieces)
}

/** The events of a recorded stream, parsed, without `[DONE]`. */
export function recordedEvents(name: string): Record<string, unknown>[] {
  return recordedBody(name)
    .toString('utf8')
    .split('\n\n')
    .filter(frame => frame.startsWith('data: {'))
    .map(frame => JSON.parse(frame.slice(6)))
}
