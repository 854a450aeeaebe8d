/**
 * `node scripts/list-image.ts`: what the image gets beside its base, the largest parts first. Ends with 1 where that is more
 * than it may be.
 */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readImage } from './image-content.ts'

/** Above the base. */
const maxBytes = 120_000_000

const { files } = readImage(dirname(dirname(fileURLToPath(import.meta.url))))
const sizes = new Map<string, number>()
for (const { to, bytes } of files) {
  const [, part = to] = /^(\/app\/(?:node_modules\/(?:@[^/]+\/)?)?[^/]+)/.exec(to) ?? []
  sizes.set(part, (sizes.get(part) ?? 0) + bytes)
}
const megabytes = (bytes: number) => (bytes / 1_000_000).toFixed(1).padStart(6)
for (const [part, bytes] of [...sizes].sort(([, left], [, right]) => right - left)) {
  process.stdout.write(`${megabytes(bytes)} MB  ${part}\n`)
}
const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
process.stdout.write(`${megabytes(total)} MB  in ${files.length} files, of ${megabytes(maxBytes).trim()} MB\n`)
if (total > maxBytes) process.exitCode = 1
