/** What the admin API says of a configuration that was read again. */
import { ErrorBodySchema } from '../error-body.ts'
import { OneOfTexts } from '../fields.ts'
import { Type } from '../typebox.ts'

const Keys = (description: string) => Type.Array(Type.String(), { description })
const OrNull = (type: 'string' | 'integer', description: string) =>
  Type.Unsafe<string | number | null>({ type: [type, 'null'], description })

export const ConfigReloadSchema = Type.Object(
  {
    object: Type.Literal('config_reload'),
    outcome: OneOfTexts(['applied', 'unchanged']),
    changed: Keys('Keys of weir.yaml that have other values now.'),
    needs_restart: Keys('Keys that have other values in weir.yaml, and will have them here after a restart.'),
    warnings: Keys('What is no mistake but worth knowing.'),
  },
  { title: 'ConfigReload' },
)

const ProblemSchema = Type.Object(
  {
    where: Type.String({ description: '`weir.yaml:12:3`, or which flag or variable.' }),
    file: OrNull('string', 'Null for a flag or a variable.'),
    line: OrNull('integer', 'Counted from 1.'),
    column: OrNull('integer', 'Counted from 1.'),
    key: Type.String({ description: 'In the words of weir.yaml; empty where no key is meant.' }),
    problem: Type.String(),
    fix: Type.String({ description: 'What to do about it.' }),
  },
  { title: 'ConfigProblem' },
)

export const ConfigProblemsSchema = Type.Object(
  { error: ErrorBodySchema.properties.error, problems: Type.Array(ProblemSchema) },
  { title: 'ConfigProblems' },
)
