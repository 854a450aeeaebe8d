import { Type } from '../typebox.ts'
import { type ScopeName, scopeNames } from './tiers.ts'
import { DurationSchema, SecretSchema } from './units.ts'

/** Those of which a public key at a URL is enough to check a signature. */
const keySetAlgorithms = ['RS256', 'ES256', 'EdDSA'] as const
export type KeySetAlgorithm = (typeof keySetAlgorithms)[number]

const ScopeSchema = Type.Unsafe<ScopeName>(Type.String({ enum: [...scopeNames] }))

/** What a token says in one of its claims; any text can be a key of YAML, and this keeps out what no claim should have. */
const visible = '[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]'
const claimValuePattern = `^${visible}{1,256}$`
const claimValueForm = 'a value of the claim, at most 256 characters'

const ClaimSchema = (options: object) => Type.String({ minLength: 1, maxLength: 256, ...options })

const ClaimsSchema = Type.Object(
  {
    account: ClaimSchema({
      default: 'sub',
      description: 'Whom the token speaks for: text, one account for each value.',
    }),
    tier: Type.Optional(ClaimSchema({ description: "Its tier; the account's own when absent.", examples: ['plan'] })),
    scopes: Type.Optional(
      ClaimSchema({
        description: 'What it may do: a list, or text with spaces; all of `scopes` when absent.',
        examples: ['scope', 'realm_access.roles'],
      }),
    ),
  },
  {
    additionalProperties: false,
    default: {},
    description: 'Names of claims. A name with dots that is no claim itself leads into objects.',
  },
)

export const IssuerSchema = Type.Object(
  {
    issuer: Type.String({
      minLength: 1,
      // As much as an index of the database takes, and nothing that it cannot store.
      maxLength: 1024,
      pattern: `^${visible}+$`,
      'x-weir-form': 'text without control characters',
      description: 'The `iss` of its tokens, letter by letter.',
      examples: ['https://login.example.com/'],
    }),
    audience: Type.Array(Type.String({ minLength: 1, maxLength: 2048, examples: ['weir'] }), {
      minItems: 1,
      uniqueItems: true,
      description: 'The `aud` of its tokens must have one of these.',
    }),
    secret: Type.Optional(
      SecretSchema({ description: 'Its tokens are HS256 with this secret of at least 32 characters.' }),
    ),
    jwksUrl: Type.Optional(
      Type.String({
        pattern: '^https?://[^\\s/?#]+(/[^\\s?#]*)?(\\?[^\\s#]*)?$',
        maxLength: 2048,
        'x-weir-unit': 'url',
        description: 'Where it publishes its keys, instead of a secret.',
        examples: ['https://login.example.com/.well-known/jwks.json'],
      }),
    ),
    algorithms: Type.Array(Type.Unsafe<KeySetAlgorithm>(Type.String({ enum: [...keySetAlgorithms] })), {
      default: [...keySetAlgorithms],
      minItems: 1,
      uniqueItems: true,
      description: 'What the keys at jwksUrl may sign by.',
    }),
    claims: ClaimsSchema,
    tiers: Type.Record(
      Type.String({ pattern: claimValuePattern }),
      Type.String({ description: 'A name under `tiers`.' }),
      {
        additionalProperties: false,
        'x-weir-form': claimValueForm,
        default: {},
        description: 'The tier for each value of claims.tier; when absent, the value is the name of the tier.',
      },
    ),
    scopes: Type.Array(ScopeSchema, {
      default: ['chat', 'completions', 'embeddings', 'models', 'usage'],
      uniqueItems: true,
      description: 'The most its tokens may do.',
    }),
    scopeNames: Type.Record(
      Type.String({ pattern: claimValuePattern }),
      Type.Array(ScopeSchema, { uniqueItems: true, description: 'What the value allows.' }),
      {
        additionalProperties: false,
        'x-weir-form': claimValueForm,
        default: {},
        description: 'What each value of claims.scopes allows; when absent, the values are names of scopes.',
      },
    ),
    provision: Type.Boolean({ default: false, description: 'Make an account for whom it is not known yet.' }),
    defaultTier: Type.String({ default: 'free', description: 'The tier of accounts that are made so.' }),
    clockTolerance: DurationSchema({
      description: 'How far its clock may be ahead of ours, for `nbf` and `iat`; `exp` holds to the second.',
      default: '30s',
      'x-weir-least': '0s',
      'x-weir-most': '5m',
    }),
  },
  { additionalProperties: false, description: 'One issuer of JWTs.' },
)
