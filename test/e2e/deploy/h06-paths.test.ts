import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { llamaServer } from '../../support/engines.ts'
import { adminKey, buildGateway } from '../../support/gateway.ts'
import { oneBackendYaml } from '../../support/inference.ts'
import { spellingsOf } from '../../support/path-spellings.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { waysTo } from './balanced.ts'

/** What the gateway made of a request. */
interface Seen {
  readonly route: string | undefined
  readonly isPublic: boolean
  readonly hasPrincipal: boolean
}

const guarded = [
  ['GET', '/v1/models'],
  ['GET', '/v1/usage/limits'],
  ['GET', '/admin/keys'],
  ['DELETE', '/admin/keys/00000000-0000-7000-8000-000000000000'],
  ['POST', '/v1/chat/completions'],
] as const

/** All spellings over one connection after the other, since most end it. */
async function ask(t: TestContext, url: string, requests: readonly string[]) {
  const answers: { status: number; id: string; text: string }[] = []
  let next = 0
  const worker = async () => {
    for (let at = next++; at < requests.length; at = next++) {
      const client = await connectRaw(t, url)
      client.send(Buffer.from(requests[at] ?? '', 'latin1'))
      const answer = await client.response()
      answers[at] = { status: answer.status, id: answer.header('x-request-id') ?? '', text: answer.text }
      client.destroy()
    }
  }
  await Promise.all(Array.from({ length: 20 }, worker))
  return answers
}

const requestsOf = (method: string, path: string, key?: string) =>
  spellingsOf(path).map(target => {
    const length = method === 'POST' ? 'Content-Type: application/json\r\nContent-Length: 2\r\n' : ''
    const authorization = key === undefined ? '' : `Authorization: Bearer ${key}\r\n`
    const head = `${method} ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${authorization}${length}`
    return `${head}\r\n${method === 'POST' ? '{}' : ''}`
  })

test('H06 however a path is written, who may is decided for the route that is served', async t => {
  const backend = await startScriptedBackend(t, llamaServer())
  const seen = new Map<string, Seen>()
  const gateway = await buildGateway(t, {
    yaml: oneBackendYaml(backend.url),
    prepare: app =>
      void app.addHook('onSend', async ({ id, routeOptions, principal, is404 }) => {
        const { url, config } = routeOptions
        const isPublic = is404 || config.scope === undefined || config.scope === 'public'
        seen.set(id, { route: is404 ? undefined : url, isPublic, hasPrincipal: Boolean(principal) })
      }),
  })
  const ways = await waysTo(t, gateway)
  for (const [kind, url] of ways) {
    await t.test(`H06 ${kind}`, async () => {
      for (const [method, path] of guarded) {
        const [strangers, friends] = [
          await ask(t, url, requestsOf(method, path)),
          await ask(t, url, requestsOf(method, path, adminKey)),
        ]
        for (const [at, target] of spellingsOf(path).entries()) {
          const [stranger, friend] = [strangers[at] ?? assert.fail(), friends[at] ?? assert.fail()]
          const [ofStranger, ofFriend] = [seen.get(stranger.id), seen.get(friend.id)]
          const said = `${kind} ${method} ${target}: ${stranger.status} ${JSON.stringify(ofStranger)}, with a key ${friend.status} ${JSON.stringify(ofFriend)}`
          assert.equal(ofStranger?.route, ofFriend?.route, said)
          if (ofStranger?.isPublic === false)
            assert.deepEqual([stranger.status, ofStranger.hasPrincipal], [401, false], said)
          // A stranger is served what everybody is, such as /health?/v1/models, and nothing else.
          else if (stranger.status < 400) assert.match(ofStranger?.route ?? '', /^\/health|^\/$/, said)
          else assert.ok([400, 404, 405].includes(stranger.status), said)
          if (ofFriend?.isPublic === false) assert.equal(ofFriend.hasPrincipal, true, said)
          else if (friend.status >= 400) assert.ok([400, 404, 405].includes(friend.status), said)
          assert.ok(friend.status < 500, said)
        }
        assert.equal(seen.get(friends[0]?.id ?? '')?.isPublic, false, 'the path itself is guarded')
      }
    })
  }

  await t.test(
    'H06 no spelling brings metrics through a balancer, also where the gateway itself shows them',
    async () => {
      for (const [kind, url] of ways.filter(([kind]) => kind !== 'direct')) {
        const answers = await ask(t, url, requestsOf('GET', '/metrics', adminKey))
        for (const [at, { text }] of answers.entries())
          assert.ok(!text.includes('weir_'), `${kind} ${spellingsOf('/metrics')[at]}`)
      }
      const [first] = await ask(t, gateway.url, requestsOf('GET', '/metrics', adminKey))
      assert.match(first?.text ?? '', /^weir_/m)
    },
  )
})
