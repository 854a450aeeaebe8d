import type { FastifyInstance } from 'fastify'
import type { Config } from './config.ts'
import type { FirstKey } from './store/first-key.ts'

export interface BannerOptions {
  readonly app: FastifyInstance
  readonly config: Config
  readonly url: string
  readonly internalUrl: string | null
  readonly firstKey: Promise<FirstKey>
}

/** For a person at a terminal: where it is, what it has, and one line to try it. At most twelve lines. */
export async function printBanner(options: BannerOptions): Promise<void> {
  const { app, url, internalUrl } = options
  const key = keyText(await options.firstKey)
  const { models } = app.catalog.current
  const chatModel = models.find(model => model.targets.some(target => target.endpoints.has('chat')))
  const messages = [{ role: 'user', content: 'What are you?' }]
  const body = JSON.stringify({ model: chatModel?.id ?? 'MODEL', messages, stream: true })
  const lines = [
    '',
    `  Weir       ${url}/v1    docs ${internalUrl ?? url}/docs`,
    ...(internalUrl === null ? [] : [`  internal   ${internalUrl}`]),
    `  models     ${shorten(models.map(model => model.id))}`,
    `  storage    ${storage(options.config)}`,
    `  key        ${key.line}`,
    '',
    `  curl ${url}/v1/chat/completions -H "Authorization: Bearer ${key.placeholder}" -H 'Content-Type: application/json' \\`,
    `       -d ${shellQuoted(body)}`,
    '',
  ]
  process.stdout.write(`${lines.map(printable).join('\n')}\n`)
}

/**
 * Where nobody sits at a terminal the log goes to stdout and must not hold a key; one that was just made is shown all the
 * same, this once, on stderr.
 */
export async function printFirstKey(url: string, firstKey: Promise<FirstKey>): Promise<void> {
  const known = await firstKey
  if (known.kind !== 'made') return
  process.stderr.write(`weir: first start, made an admin key, shown this once: ${known.key}\n`)
  process.stderr.write(`weir: try it: curl ${url}/v1/models -H "Authorization: Bearer ${known.key}"\n`)
}

function keyText(known: FirstKey): { readonly line: string; readonly placeholder: string } {
  switch (known.kind) {
    case 'made':
      return { line: `${known.key}   (shown this once)`, placeholder: known.key }
    case 'preset':
      return { line: 'WEIR_ADMIN_KEY, as configured', placeholder: '$WEIR_ADMIN_KEY' }
    case 'present':
      return { line: 'made before; another one: npx weir keys create --account default', placeholder: '$KEY' }
  }
}

const storage = ({ stores }: Config): string =>
  `${stores.databaseUrl === undefined ? `embedded PostgreSQL in ${stores.dataDir}` : 'PostgreSQL'}, ${
    stores.redisUrl === undefined ? 'no Redis' : 'Redis'
  }`

function shorten(models: readonly string[]): string {
  if (models.length === 0) return 'none yet: the backends have not said what they have'
  return models.length <= 4 ? models.join(', ') : `${models.slice(0, 4).join(', ')} and ${models.length - 4} more`
}

/** Safe between single quotes in a POSIX shell: models are named by files and by backends, who may write anything. */
const shellQuoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** Nothing that a terminal would obey, or break the line at. */
const printable = (line: string): string => line.replaceAll(/\p{Cc}/gu, '?')
