import { Type } from '../typebox.ts'

export const RoutingSchema = Type.Object(
  {
    maxAttempts: Type.Integer({
      minimum: 1,
      maximum: 10,
      default: 3,
      description: 'How often one request is tried as long as no content has come; retries are a fifth of all at most.',
    }),
    maxWaiting: Type.Integer({
      minimum: 0,
      // Where some wait for a closed endpoint and others for an open one, each slot that comes free costs 1.3 µs for each of them.
      maximum: 10_000,
      default: 1000,
      description: 'Requests that may wait for a slot on one backend.',
    }),
  },
  { additionalProperties: false, default: {}, description: 'How requests get to backends.' },
)
