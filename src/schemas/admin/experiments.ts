/** Experiments of the configuration: what administrators say of them, and how their arms compare. */
import { usdForm } from '../answer-parts.ts'
import { NullableOneOfTexts, NullableText, OneOfTexts } from '../fields.ts'
import { type Static, Type } from '../typebox.ts'
import { closed } from './fields.ts'

const statuses = ['running', 'paused', 'ended'] as const

const fields = {
  state: OneOfTexts(statuses, {
    description: "paused: all traffic is the control's. ended: all traffic is the winner's, for good.",
  }),
  ramp_percent: Type.Integer({
    minimum: 0,
    maximum: 100,
    description: "How much of the traffic takes part; the rest is the control's and is not counted.",
  }),
}

export const UpdateExperimentSchema = Type.Object(
  {
    state: Type.Optional(fields.state),
    ramp_percent: Type.Optional(fields.ramp_percent),
    winner: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 32,
        description: 'The arm that gets all traffic of an experiment that ended.',
      }),
    ),
  },
  {
    title: 'UpdateExperiment',
    ...closed,
    description: 'What is left out stays.',
    examples: [{ ramp_percent: 10 }, { state: 'ended', winner: 'full-precision' }],
  },
)
export type UpdateExperiment = Static<typeof UpdateExperimentSchema>

const ArmSchema = Type.Object(
  {
    name: Type.String(),
    weight: Type.Integer({ description: 'The sum of the weights of its targets: its share among the arms.' }),
  },
  { title: 'Arm' },
)

const experimentFields = {
  object: Type.Literal('experiment'),
  name: Type.String(),
  model: Type.String({ description: 'Whose targets are compared.' }),
  stick_by: Type.String({
    description: '`account` or the name of a request header: what is alike in it gets one arm.',
  }),
  ...fields,
  winner: NullableText({ description: 'Null while it has not ended.' }),
}

export const ExperimentSchema = Type.Object(
  { ...experimentFields, arms: Type.Array(ArmSchema, { description: 'The first one is the control.' }) },
  { title: 'Experiment' },
)
export type ExperimentView = Static<typeof ExperimentSchema>

const Bound = (description: string) => Type.Unsafe<number | null>({ type: ['number', 'null'], description })

const EstimateSchema = Type.Object(
  {
    value: Type.Number(),
    low: Bound('Where the interval begins; null where there is too little to say.'),
    high: Bound('Where it ends.'),
  },
  { title: 'Estimate', description: 'What was seen, and between what the true value lies.' },
)

const NullableEstimate = Type.Union([EstimateSchema, Type.Null()])
const QuantilesSchema = Type.Object({ p50: NullableEstimate, p95: NullableEstimate })

const verdict = NullableOneOfTexts(['better', 'worse', 'no_difference_shown', 'too_few'], {
  description: 'Against the control; null for the control itself.',
})
const QuantileVerdictsSchema = Type.Object({ p50: verdict, p95: verdict })

const Count = (description: string) => Type.Integer({ minimum: 0, description })

const ArmCostSchema = Type.Object(
  {
    requests: Count('Requests of the ledger that took part, and that this arm has answered or was the last to try.'),
    unpriced_requests: Count('How many of them had no price, and so cost 0.'),
    total: Type.String({ pattern: usdForm, description: 'USD as decimal text, exact.' }),
    mean: NullableText({
      pattern: usdForm,
      description: 'Of one request, to the billionth; null where there is none.',
    }),
    times_control: Type.Unsafe<number | null>({
      type: ['number', 'null'],
      minimum: 0,
      description: 'How many times the mean of the control it is; null for the control, and where there is none.',
    }),
  },
  { title: 'ArmCost', description: 'By the ledger: of all replicas, since the experiment began.' },
)
export type ArmCostView = Static<typeof ArmCostSchema>

const ArmReportSchema = Type.Object(
  {
    ...ArmSchema.properties,
    requests: Count('Requests that were counted.'),
    participants: Count('Different values of what it sticks by among them; at most 2,000 are told apart.'),
    errors: Count("Those that failed, other than by the caller's doing."),
    input_tokens: Count('As the engines counted them.'),
    output_tokens: Count('The same.'),
    cost: Type.Union([ArmCostSchema, Type.Null()], { description: 'Null while the database does not say.' }),
    error_rate: NullableEstimate,
    time_to_first_token_ms: QuantilesSchema,
    inter_token_latency_ms: QuantilesSchema,
    verdicts: Type.Object({
      error_rate: verdict,
      time_to_first_token_ms: QuantileVerdictsSchema,
      inter_token_latency_ms: QuantileVerdictsSchema,
    }),
  },
  { title: 'ArmReport' },
)
export type ArmReportView = Static<typeof ArmReportSchema>

export const ExperimentReportSchema = Type.Object(
  {
    ...experimentFields,
    counted_by: OneOfTexts(['replica'], {
      description: 'The replica that answers has counted what it has served itself, since it was started; costs apart.',
    }),
    counted_since: NullableText({ description: 'When it counted the first request; null where there was none.' }),
    confidence: Type.Number({
      description: 'How sure each interval is, and how sure all verdicts together are, for one look.',
    }),
    arms: Type.Array(ArmReportSchema, { description: 'The first one is the control.' }),
  },
  { title: 'ExperimentReport' },
)
export type ExperimentReportView = Static<typeof ExperimentReportSchema>
