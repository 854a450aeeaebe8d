/** The shape of weir.yaml, whole: everything the program can be told has its place here. */
import { type Static, Type } from '../typebox.ts'
import { BackendSchema } from './backends.ts'
import { CacheSchema, EngineCacheSchema } from './cache.ts'
import { IssuerSchema } from './issuers.ts'
import { LedgerSchema } from './ledger.ts'
import { LogSchema } from './log.ts'
import { ModelSchema, modelNameForm, modelNamePattern } from './models.ts'
import { RoutingSchema } from './routing.ts'
import { StoresSchema } from './stores.ts'
import { TierSchema } from './tiers.ts'
import { ByteSizeSchema, DurationSchema, PathSchema, SecretSchema } from './units.ts'
import { WebhookSchema } from './webhooks.ts'

const closed = { additionalProperties: false, default: {} } as const
/** Names of backends, tiers, issuers and webhooks: they stand in metrics' labels and on command lines. */
const namePattern = '^[a-z0-9][a-z0-9-]{0,62}$'
const nameForm = 'small letters, digits and hyphens, at most 63, a letter or digit first'

const Port = (options: object) => Type.Integer({ minimum: 0, maximum: 65_535, ...options })

const FloodGuardSchema = Type.Object(
  {
    requestsPerMinute: Type.Integer({
      minimum: 0,
      maximum: 1_000_000_000,
      default: 60_000,
      description: 'Requests of one address, whoever sends them; 0 is no bound.',
    }),
    failuresPerMinute: Type.Integer({
      minimum: 0,
      maximum: 1_000_000_000,
      default: 600,
      description: 'Wrong keys, URLs and methods of one address, before no key is taken from it; 0 is no bound.',
    }),
  },
  { ...closed, description: 'What one address may do before anybody knows who it is.' },
)

const ServerSchema = Type.Object(
  {
    host: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Address to listen on; 127.0.0.1 while the database is embedded, else 0.0.0.0.',
        examples: ['127.0.0.1', '::'],
      }),
    ),
    port: Port({ default: 4000, description: 'Port to listen on; 0 takes a free one.' }),
    internalHost: Type.String({
      minLength: 1,
      default: '127.0.0.1',
      description: 'Address of the internal listener.',
      examples: ['127.0.0.1', '0.0.0.0'],
    }),
    internalPort: Type.Optional(
      Port({
        description: 'A second listener for metrics, probes, docs and admin; the public one then has none of them.',
      }),
    ),
    probePort: Type.Optional(
      Port({
        description: 'A thread of its own answers probes there, at internalHost, also while the main one is blocked.',
      }),
    ),
    trustedProxies: Type.Array(Type.String({ examples: ['10.0.0.0/8'] }), {
      default: [],
      uniqueItems: true,
      description: 'CIDRs of proxies whose X-Forwarded-For is believed.',
    }),
    floodGuard: FloodGuardSchema,
    corsOrigins: Type.Array(Type.String({ examples: ['https://app.example.com'] }), {
      default: [],
      uniqueItems: true,
      description: 'Origins that browsers may call from; none turns CORS off.',
    }),
    maxBody: ByteSizeSchema({
      description: 'Largest request body.',
      default: '8MiB',
      'x-weir-least': '1KiB',
      'x-weir-most': '256MiB',
    }),
    commitAfter: DurationSchema({
      description: 'How long a stream waits for content before its 200 is sent.',
      default: '15s',
      'x-weir-least': '0s',
    }),
    heartbeat: DurationSchema({
      description: 'Between two comment lines while a stream has nothing to say.',
      default: '15s',
      'x-weir-least': '1s',
    }),
    clientStall: DurationSchema({
      description: 'How long a caller may leave what was written to it unread.',
      default: '30s',
    }),
    watchConfig: Type.Boolean({
      default: true,
      description: 'Take on changes of weir.yaml by itself, without a signal or a call.',
    }),
    grace: DurationSchema({ description: 'From SIGTERM to exit.', default: '30s', 'x-weir-least': '0s' }),
    minDrain: Type.Optional(
      DurationSchema({
        description:
          'How long it serves on after SIGTERM, also idle; 5s or a sixth of grace, 0s while the database is embedded.',
        'x-weir-least': '0s',
      }),
    ),
    urlImages: Type.Boolean({
      default: false,
      description: 'Let image_url name a http(s) URL, which the backend fetches by itself.',
    }),
  },
  { ...closed, description: 'How Weir listens.' },
)

const AuthSchema = Type.Object(
  {
    adminKey: Type.Optional(
      SecretSchema({
        description: 'A key with every scope and every model: any text of at least 32 printable ASCII characters.',
      }),
    ),
    keyPepper: Type.Optional(
      SecretSchema({
        description:
          'Keys the digests of API keys, at least 32 characters; made and kept in dataDir when the database is embedded.',
      }),
    ),
    keyPepperVersion: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 61,
        description: 'Which keyPepper that is, counted from 1; one more than there are former ones when absent.',
      }),
    ),
    previousKeyPeppers: Type.Array(SecretSchema({ description: 'A former keyPepper.' }), {
      default: [],
      description: 'Former values of keyPepper, oldest first: keys that were made with them go on working.',
    }),
    keyCacheTtl: DurationSchema({
      description: 'How long a checked key is believed, and so the longest that a revoked one works without Redis.',
      default: '30s',
      'x-weir-least': '0s',
      'x-weir-most': '30s',
    }),
    tokenTtl: DurationSchema({
      description: 'How long the tokens live that POST /auth/token gives.',
      default: '15m',
      'x-weir-least': '1m',
      'x-weir-most': '24h',
    }),
    issuers: Type.Record(Type.String({ pattern: namePattern }), IssuerSchema, {
      additionalProperties: false,
      'x-weir-form': nameForm,
      default: {},
      description: 'Issuers of JWTs by name.',
    }),
  },
  { ...closed, description: 'Who may call.' },
)

const EngineSchema = Type.Object(
  {
    model: Type.Optional(PathSchema({ description: 'A GGUF file; the demonstration model when absent.' })),
    slots: Type.Integer({ minimum: 1, maximum: 64, default: 4, description: 'Requests it runs at once.' }),
    contextLength: Type.Integer({
      minimum: 256,
      maximum: 1_048_576,
      default: 2048,
      description: 'Tokens of prompt and answer that each slot has room for.',
    }),
    cache: Type.Optional(EngineCacheSchema),
  },
  { ...closed, description: 'The llama.cpp engine that runs when no backend is configured.' },
)

export const ConfigFileSchema = Type.Object(
  {
    server: ServerSchema,
    stores: StoresSchema,
    auth: AuthSchema,
    log: LogSchema,
    engine: EngineSchema,
    routing: RoutingSchema,
    ledger: LedgerSchema,
    backends: Type.Record(Type.String({ pattern: namePattern }), BackendSchema, {
      additionalProperties: false,
      'x-weir-form': nameForm,
      default: {},
      description: 'Inference servers by name.',
    }),
    models: Type.Record(Type.String({ pattern: modelNamePattern }), ModelSchema, {
      additionalProperties: false,
      'x-weir-form': modelNameForm,
      default: {},
      description: 'Models by public name.',
    }),
    tiers: Type.Record(Type.String({ pattern: namePattern }), TierSchema, {
      additionalProperties: false,
      'x-weir-form': nameForm,
      default: {},
      description: 'Tiers by name; free, premium and enterprise are there by default.',
    }),
    webhooks: Type.Record(Type.String({ pattern: namePattern }), WebhookSchema, {
      additionalProperties: false,
      'x-weir-form': nameForm,
      default: {},
      description: 'Who is told of quotas and spend limits that are nearly used up, by name; 16 at most.',
    }),
    cache: CacheSchema,
  },
  { additionalProperties: false, $id: 'weir.yaml', title: 'weir.yaml' },
)
export type ConfigFile = Static<typeof ConfigFileSchema>
