/** The level of the log as the admin API tells and changes it. */
import { NullableOneOfTexts, OneOfTexts } from '../fields.ts'
import { type Static, Type } from '../typebox.ts'
import { closed } from './fields.ts'

const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

export const LogLevelSchema = Type.Object(
  {
    object: Type.Literal('log_level'),
    level: OneOfTexts(levels, { description: 'The least that is logged now.' }),
    configured: OneOfTexts(levels, { description: '`log.level` of the configuration.' }),
  },
  { title: 'LogLevel' },
)

export const UpdateLogLevelSchema = Type.Object(
  {
    level: NullableOneOfTexts(levels, {
      description: 'The least that is to be logged; null for what is configured.',
    }),
  },
  { ...closed, title: 'UpdateLogLevel', examples: [{ level: 'debug' }] },
)
export type UpdateLogLevel = Static<typeof UpdateLogLevelSchema>
