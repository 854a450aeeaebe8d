import type { LimitSet } from '../../src/domain/limit.ts'
import type { LimitState, LimitStore, Unseeded, Verdict } from '../../src/domain/reservation.ts'

type Known<Answer> =
  Answer extends Promise<infer Value> ? Promise<Exclude<Value, Unseeded | null>> : Exclude<Answer, Unseeded | null>

/** A store that nothing was used of before: its days and months are seeded with that as soon as they are asked about. */
export type Seeded<Store extends LimitStore = LimitStore> = Omit<Store, 'reserve' | 'look'> & {
  readonly reserve: (...args: Parameters<Store['reserve']>) => Known<ReturnType<Store['reserve']>>
  readonly look: (set: LimitSet) => Known<ReturnType<Store['look']>>
}

export function seeded<Store extends LimitStore>(store: Store): Seeded<Store> {
  const nothing = (set: LimitSet) => set.limits.map(() => 0)
  const after = (answer: unknown, next: (value: unknown) => unknown) =>
    answer instanceof Promise ? answer.then(next) : next(answer)
  const seedAt = (set: LimitSet, { atUs }: Unseeded) => store.seed(set, nothing(set), atUs)
  /** Asks for nothing, only to be told the time. */
  const seed = (set: LimitSet) =>
    after(store.reserve('nobody', set, nothing(set)), verdict => seedAt(set, verdict as Unseeded))
  const reserve = (...args: Parameters<LimitStore['reserve']>) =>
    after(store.reserve(...args), verdict => {
      const { kind } = verdict as Verdict | Unseeded
      return kind === 'unseeded' ? after(seedAt(args[1], verdict as Unseeded), () => store.reserve(...args)) : verdict
    })
  const look = (set: LimitSet) =>
    after(store.look(set), states =>
      states === null ? after(seed(set), () => store.look(set)) : (states as readonly LimitState[]),
    )
  // What is charged before that is left to the seed.
  const charge = (id: string, set: LimitSet, amounts: readonly number[]) =>
    after(look(set), () => store.charge(id, set, amounts))
  const more = { reserve, look, charge }
  return new Proxy(store, {
    get(target, name) {
      if (name in more) return more[name as keyof typeof more]
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  }) as unknown as Seeded<Store>
}
