import fc from 'fast-check'
import type { EndpointName } from '../../src/schemas/config/models.ts'

export interface Arrival {
  readonly servers: readonly number[]
  readonly endpoint: EndpointName
  readonly account: string
  readonly priority: number
  readonly isRetry: boolean
  readonly waitMs: number
  /** Which of those that are free it takes. */
  readonly pick: number
  /** What happens while it chooses. */
  readonly during: 'nothing' | 'release' | 'wake' | 'probe' | 'admit'
}

export type Step =
  | ({ readonly do: 'admit' } & Arrival)
  | { readonly do: 'release' | 'cancel'; readonly which: number }
  | { readonly do: 'slots'; readonly server: number; readonly slots: number | null }
  | { readonly do: 'open' | 'close'; readonly server: number; readonly endpoint: EndpointName }
  | { readonly do: 'tick'; readonly ms: number }

const endpoints = fc.constantFrom('chat' as const, 'embeddings' as const)
const serverIndexes = fc.nat(2)

const admits = fc.record({
  do: fc.constant('admit' as const),
  servers: fc.uniqueArray(serverIndexes, { minLength: 1 }),
  endpoint: endpoints,
  account: fc.constantFrom('a', 'b', 'c'),
  priority: fc.constantFrom(20, 50),
  isRetry: fc.boolean(),
  waitMs: fc.constantFrom(0, 50, 200, 1000),
  pick: fc.nat(2),
  during: fc.constantFrom('nothing' as const, 'release' as const, 'wake' as const, 'probe' as const, 'admit' as const),
})

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: admits },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('release' as const), which: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat(20) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('slots' as const),
        server: serverIndexes,
        slots: fc.option(fc.nat(3), { freq: 8 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('open' as const, 'close' as const),
        server: serverIndexes,
        endpoint: endpoints,
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('tick' as const), ms: fc.nat(100) }) },
  ),
  { maxLength: 60, size: 'max' },
)

/** Whichever number is drawn, it is one of them, as long as there is one. */
export const pick = <Item>(items: readonly Item[], which: number): Item | undefined =>
  items[which % Math.max(1, items.length)]
