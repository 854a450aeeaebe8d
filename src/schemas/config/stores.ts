import { Type } from '../typebox.ts'
import { PathSchema, SecretSchema } from './units.ts'

export const StoresSchema = Type.Object(
  {
    dataDir: PathSchema({
      default: '.weir',
      description: 'The folder for what must outlive a restart; made with mode 0700.',
    }),
    databaseUrl: Type.Optional(SecretSchema({ description: 'PostgreSQL; an embedded one in dataDir when absent.' })),
    migrate: Type.Unsafe<'always' | 'new' | 'never'>(
      Type.String({
        enum: ['always', 'new', 'never'],
        default: 'new',
        description:
          'When a start changes the schema of databaseUrl: always, where there is none yet, or never; `npx weir migrate` does.',
      }),
    ),
    redisUrl: Type.Optional(SecretSchema({ description: 'Redis, for several replicas; in-process when absent.' })),
    replicas: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 1,
      description: 'Replicas to share limits with while Redis has never been reached.',
    }),
  },
  { additionalProperties: false, default: {}, description: 'What it keeps, and where.' },
)
