import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LinkedList, type ListNode } from '../../src/domain/linked-list.ts'

const steps = fc.array(
  fc.record({ do: fc.constantFrom('append', 'prepend', 'remove', 'moveToEnd'), which: fc.nat(20) }),
  { maxLength: 60 },
)

test('it is what an array would be, from both ends', () => {
  fc.assert(
    fc.property(steps, schedule => {
      const list = new LinkedList<number>()
      let model: ListNode<number>[] = []
      const gone: ListNode<number>[] = []
      for (const [number, step] of schedule.entries()) {
        const node = model[step.which % Math.max(1, model.length)]
        if (step.do === 'append') model = [...model, list.append(number)]
        else if (step.do === 'prepend') model = [list.prepend(number), ...model]
        else if (node !== undefined) {
          const others = model.filter(other => other !== node)
          if (step.do === 'remove') {
            list.remove(node)
            gone.push(node)
            model = others
          } else {
            list.moveToEnd(node)
            model = [...others, node]
          }
        }
        // One that was taken out is taken out once.
        for (const old of gone) list.remove(old)
        deepEqual(
          Array.from(list, ({ value }) => value),
          model.map(({ value }) => value),
        )
        equal(list.size, model.length)
        equal(list.last, model.at(-1) ?? null)
        for (const [index, { before }] of model.entries()) equal(before, model[index - 1] ?? null)
      }
    }),
  )
})
