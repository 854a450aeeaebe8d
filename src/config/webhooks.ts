/** The receivers of webhooks. */
import { isLoopback } from '../domain/loopback.ts'
import type { Findings } from './findings.ts'
import { hookUrlFault } from './http-url.ts'
import type { Complaint } from './problem.ts'
import type { Draft } from './references.ts'
import { weaknessOf } from './secrets.ts'

/** Each has connections and deliveries of its own. */
const maxWebhooks = 16

export function checkWebhooks({ webhooks }: Draft, findings: Findings): void {
  const entries = Object.entries(webhooks ?? {})
  if (entries.length > maxWebhooks) {
    const problem = `There are ${entries.length} webhooks, at most ${maxWebhooks} are possible.`
    findings.problem(['webhooks'], { problem, fix: 'Let one of them tell the others.' })
  }
  for (const [name, webhook] of entries) {
    const path = ['webhooks', name]
    const weakness = webhook?.secret === undefined ? undefined : weaknessOf(webhook.secret)
    if (weakness) findings.problem([...path, 'secret'], weakness)
    if (webhook?.url === undefined) continue
    const url = URL.parse(webhook.url)
    const fault = url === null ? hookUrlFault(webhook.url) : loginFault(url)
    if (fault) findings.problem([...path, 'url'], fault)
    else if (url?.protocol === 'http:' && !isLoopback(url.hostname)) {
      findings.warn([...path, 'url'], 'is plain http: whoever is on the way can read what accounts use')
    }
  }
}

function loginFault(url: URL): Complaint | undefined {
  if (url.username === '' && url.password === '') return undefined
  return { problem: 'The URL has a login in it.', fix: 'Leave it out: the signature says who sends it.' }
}
