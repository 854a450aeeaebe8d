import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { signWebhook } from '../../src/domain/webhook-delivery.ts'

const secret = 'c0ffee5eed1e55-of-the-webhook-of-this-test'

test('the check that docs/API.md shows takes what is signed, and nothing that was changed, replayed or made up', async () => {
  const page = readFileSync(new URL('../../docs/API.md', import.meta.url), 'utf8')
  const examples = [...page.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text)
  const code = examples.find(text => text.includes('isFromWeir')) ?? assert.fail('there is no example')
  const { isFromWeir }: { isFromWeir: (secret: string, header: string | undefined, body: string) => boolean } =
    await import(`data:text/javascript,${encodeURIComponent(code)}`)
  const nowS = Math.floor(Date.now() / 1000)
  const body = '{"id":"1","name":"Ünï"}'
  assert.equal(isFromWeir(secret, signWebhook(secret, nowS, body), body), true)
  assert.equal(isFromWeir(secret, signWebhook(secret, nowS - 290, body), body), true)
  const wrong: readonly (readonly [string | undefined, string])[] = [
    [signWebhook(secret, nowS, body), body.replace('1', '2')],
    [signWebhook(secret, nowS, body).replace(String(nowS), String(nowS + 1)), body],
    [signWebhook(`${secret}!`, nowS, body), body],
    [signWebhook(secret, nowS - 310, body), body],
    [signWebhook(secret, nowS + 310, body), body],
    [`t=${nowS},v1=${'0'.repeat(64)}`, body],
    [`t=${nowS},v1=`, body],
    ['', body],
    [undefined, body],
  ]
  for (const [header, text] of wrong) assert.equal(isFromWeir(secret, header, text), false, String(header))
})
