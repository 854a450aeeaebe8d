/** Loaded into a process before its program by `failing-sync.ts`, which says by its environment what fails. */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'

const { FAILING_SYNC_OF: path = '', FAILING_SYNC_IN: folder = '' } = process.env
const { fdatasync } = fs

function failing(fd: number, done: fs.NoParamCallback): void {
  const { ino, size: bytes } = fs.fstatSync(fd)
  const isMeant = fs.statSync(path, { throwIfNoEntry: false })?.ino === ino
  const finish: fs.NoParamCallback = error => {
    if (isMeant) fs.appendFileSync(join(folder, 'calls'), `${JSON.stringify({ result: error?.code ?? 'ok', bytes })}\n`)
    done(error)
  }
  const error = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO', errno: -5, syscall: 'fdatasync' })
  if (isMeant && fs.existsSync(join(folder, 'fails'))) setImmediate(finish, error)
  else fdatasync(fd, finish)
}

Object.assign(fs, { fdatasync: failing })
syncBuiltinESMExports()
