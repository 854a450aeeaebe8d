/** Deliveries to webhooks, as the admin API shows them. */
import { NullableText, OneOfTexts, storedText } from '../fields.ts'
import { type Static, Type } from '../typebox.ts'
import { WebhookEventSchema } from '../webhook-event.ts'
import { closed } from './fields.ts'
import { pageFields } from './list.ts'

const deliveryStates = ['pending', 'delivered', 'dead'] as const
export type DeliveryState = (typeof deliveryStates)[number]

export const ListDeliveriesSchema = Type.Object(
  {
    ...pageFields,
    state: Type.Optional(OneOfTexts(deliveryStates, { description: 'Those that are so.' })),
    webhook: Type.Optional(
      Type.String({ maxLength: 63, ...storedText, description: 'Those to the one of this name in weir.yaml.' }),
    ),
  },
  closed,
)
export type ListDeliveries = Static<typeof ListDeliveriesSchema>

export const DeliverySchema = Type.Object(
  {
    id: Type.String({ description: 'As in the event and in `weir-webhook-id`.' }),
    object: Type.Literal('webhook_delivery'),
    webhook: Type.String({ description: 'Its name in weir.yaml.' }),
    url: NullableText({ description: 'Without its query; null where weir.yaml does not have the webhook any more.' }),
    state: OneOfTexts(deliveryStates, { description: '`dead`: given up, by us after three days or by the receiver.' }),
    tries: Type.Integer(),
    last_error: NullableText({ description: 'Why the last try failed.' }),
    created_at: Type.String(),
    next_try_at: NullableText({ description: 'Not before; null where it has ended.' }),
    ended_at: NullableText({ description: 'When it was delivered or given up.' }),
    event: WebhookEventSchema,
  },
  { title: 'WebhookDelivery' },
)
export type DeliveryView = Static<typeof DeliverySchema>
