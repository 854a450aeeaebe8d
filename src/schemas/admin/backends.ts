/** Backends as the admin API shows them; they are configured in weir.yaml. */
import { endpointNames } from '../config/models.ts'
import { OneOfTexts } from '../fields.ts'
import { type Static, Type } from '../typebox.ts'

const BreakerSchema = Type.Object({
  endpoint: OneOfTexts(endpointNames),
  state: OneOfTexts(['closed', 'open', 'half-open']),
  retry_in_ms: Type.Integer({
    description: 'Until one request is let in to try it; 0 where it need not be waited for.',
  }),
})

export const BackendViewSchema = Type.Object(
  {
    object: Type.Literal('backend'),
    name: Type.String(),
    engine: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'What it is; null while that is unknown.',
    }),
    state: OneOfTexts(['unknown', 'up', 'loading', 'down'], { description: 'By its probes.' }),
    reason: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'Why it is down.' }),
    drained: Type.Boolean({ description: 'It is given no new requests.' }),
    slots: Type.Unsafe<number | null>({
      type: ['integer', 'null'],
      description:
        'Requests it runs at once; null where nobody knows: then one at a time as long as llama-server has yet to say, else without bound.',
    }),
    in_flight: Type.Integer({ description: 'Requests that have a place on it, of this process.' }),
    waiting: Type.Integer({ description: 'Requests that wait for a place on it, of this process.' }),
    longest_wait_ms: Type.Integer({
      description: 'How long the one of these has waited so far that has waited longest; 0 where none waits.',
    }),
    breakers: Type.Array(BreakerSchema),
  },
  { title: 'Backend' },
)
export type BackendView = Static<typeof BackendViewSchema>

export const UpdateBackendSchema = Type.Object(
  {
    drained: Type.Boolean({
      description:
        'true: no new requests; what runs is finished. Of this process, until it ends; a reload does not change it.',
    }),
  },
  { additionalProperties: false, title: 'UpdateBackend', examples: [{ drained: true }] },
)
export type UpdateBackend = Static<typeof UpdateBackendSchema>
