/** The plugin on an application of its own, with an issuer that publishes keys and one that has a secret. */
import type { TestContext } from 'node:test'
import Fastify from 'fastify'
import configuration from '../../plugins/configuration.ts'
import jwtPlugin from '../../plugins/jwt.ts'
import { load } from '../config/load.ts'
import { onEnd } from './cleanup.ts'
import { fixedConfiguration } from './config.ts'
import { type JwksServer, startJwksServer } from './jwks-server.ts'
import { type Json, jwkOf, makeKeyPair } from './jwt-maker.ts'
import { peppersOf } from './peppers.ts'

export const rsa = makeKeyPair('RS256')
export const ec = makeKeyPair('ES256')
export const ed = makeKeyPair('EdDSA')
export const secret = 'the secret that this test shares with its issuer'
export const hsIssuer = 'hs.example'
export const published = 'https://issuer.example/'
export const audience = 'https://weir.example'
export const pepper = 'the pepper of this test, which is long enough'
export const own = {
  keyId: '1aaaaaaaaaaaaaaa',
  accountId: '00000000-0000-7000-8000-000000000001',
  scopes: ['chat', 'models'],
} as const

interface Given {
  /** More of weir.yaml, for the issuer that publishes keys and for the one that has a secret. */
  readonly published?: string
  readonly secret?: string
  readonly peppers?: readonly string[]
}

export async function build(t: TestContext, jwksUrl: string, given: Given = {}) {
  const yaml = `auth:
  issuers:
    keys: { issuer: "${published}", audience: ["${audience}", other], jwksUrl: "${jwksUrl}"${given.published ?? ''} }
    secret: { issuer: ${hsIssuer}, audience: ["${audience}"], secret: { env: JWT_SECRET }${given.secret ?? ''} }
`
  const { config } = load(t, { yaml, env: { JWT_SECRET: secret } })
  const app = Fastify()
  onEnd(t, () => app.close())
  await app.register(configuration, fixedConfiguration(config))
  await app.register(jwtPlugin, { config, peppers: peppersOf(...(given.peppers ?? [pepper])) })
  await app.ready()
  return app
}

export type App = Awaited<ReturnType<typeof build>>

export async function buildWithKeys(t: TestContext, given: Given = {}): Promise<{ app: App; server: JwksServer }> {
  const server = await startJwksServer(t, [jwkOf(rsa, 'rsa'), jwkOf(ec, 'ec'), jwkOf(ed, 'ed')])
  return { app: await build(t, server.url, given), server }
}

export const inMs = (ms: number) => Date.now() + ms
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds
export const claims = (changed: Json = {}): Json => ({
  iss: published,
  aud: audience,
  sub: 'alice',
  exp: inSeconds(600),
  ...changed,
})
