/**
 * A process that appends to a ledger as fast as it can and tells on its standard output what has been accepted: one line
 * each, `intent ID`, `final ID` or `full`, written before it goes on. Its argument is the folder.
 */
import { writeSync } from 'node:fs'
import { Spool } from '../../src/ledger/spool.ts'
import { makeEvent, makeIntent, noMarks } from './ledger-records.ts'

const [, , folder = ''] = process.argv
const callers = 16

try {
  const spool = await Spool.open({
    folder,
    marks: noMarks,
    toUnknown: () => {
      throw new Error('this process finishes nothing')
    },
    onNotice: () => undefined,
  })
  writeSync(1, 'open\n')
  const run = async (caller: number) => {
    for (let count = 0; ; count += 1) {
      const id = `${process.pid}-${caller}-${count}`
      const isKept = (await spool.appendIntent(makeIntent(id))) === 'written'
      writeSync(1, isKept ? `intent ${id}\n` : 'full\n')
      if (!isKept) await new Promise(resolve => setTimeout(resolve, 10))
      // Each caller has some that never end.
      if (isKept && count % 7 !== 0 && (await spool.appendFinal(makeEvent(id))) === 'written') {
        writeSync(1, `final ${id}\n`)
      }
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => run(caller)))
} catch (error) {
  writeSync(2, `${error instanceof Error ? `${error.name}: ${error.message}` : error}\n`)
  process.exit(1)
}
