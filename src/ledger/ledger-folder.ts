/** Whether a folder is one of a ledger, so that nobody makes one of what is not, or writes among other things. */
import { chmod, mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readCursor } from './cursor.ts'
import { isGone } from './file-identity.ts'
import { isSegmentName } from './segment-folder.ts'

/** Something else stands where a ledger should be. Its message is one line: what is wrong, where, and what to do. */
export class LedgerFolderError extends Error {
  constructor(problem: string, fix: string) {
    super(`${problem} ${fix}`)
    this.name = 'LedgerFolderError'
  }
}

const ownFile = /^(?:cursor(?:\.unfinished)?|lock\.db(?:-[a-z]+)?|probe)$/
const quarantine = 'quarantine'
/** What a volume, a desktop or git puts into any folder says nothing of it. */
const anybodys = /^(?:\.|lost\+found$)/

const another = 'Move it away, or give Weir another data folder with WEIR_DATA_DIR or --data-dir.'
const nameOne = 'Name the folder of a ledger with --dir, or the data folder that it is in with --data-dir.'
const isBroken = 'Move it away to go on without it, or put the ledger’s own back from a copy.'

/** For whoever looks at a ledger that is there; nothing is made or changed. Throws LedgerFolderError. */
export async function insistOnLedger(folder: string): Promise<void> {
  const names = await namesIn(folder, nameOne)
  if (names === null) throw new LedgerFolderError(`There is no ledger in ${folder}: there is no such folder.`, nameOne)
  const told = names.filter(name => !anybodys.test(name))
  if (told.length === 0) throw new LedgerFolderError(`There is no ledger in ${folder}: it is empty.`, nameOne)
  await insistOnOwn(folder, told, nameOne)
}

/** For whoever keeps a ledger there: makes the folder, for this user alone, where it is not. Throws LedgerFolderError. */
export async function makeLedgerFolder(folder: string): Promise<void> {
  const names = await namesIn(folder, another)
  const told = (names ?? []).filter(name => !anybodys.test(name))
  if (told.length > 0) await insistOnOwn(folder, told, another)
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await chmod(folder, 0o700)
  } catch (error) {
    throw unusable(folder, error, another)
  }
}

/** Null where it is not there. */
async function namesIn(folder: string, fix: string): Promise<readonly string[] | null> {
  try {
    return await readdir(folder)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') return null
    if (code === 'ENOTDIR') {
      const isFile = await stat(folder).then(
        () => true,
        isNotThere => !isGone(isNotThere),
      )
      const where = isFile ? 'it is a file, not a folder' : 'what should be a folder above it is a file'
      throw new LedgerFolderError(`There is no ledger in ${folder}: ${where}.`, fix)
    }
    throw unusable(folder, error, fix)
  }
}

/** One with a segment or a cursor in it is a ledger, whatever else is there; any other has nothing but a ledger's own. */
async function insistOnOwn(folder: string, names: readonly string[], fix: string): Promise<void> {
  const strange = names.filter(name => !isSegmentName(name) && !ownFile.test(name) && name !== quarantine)
  if (strange.length > 0 && !names.some(isSegmentName) && !(await hasCursor(folder))) {
    const inside = names.includes('ledger') && fix === nameOne ? ` Did you mean ${join(folder, 'ledger')}?` : ''
    throw new LedgerFolderError(`${folder} is not a ledger: it has ${listed(strange)} in it.${inside}`, fix)
  }
  for (const name of names) {
    const isFolder = await stat(join(folder, name)).then(
      stats => stats.isDirectory(),
      // Deleted meanwhile, as what is stored is.
      () => null,
    )
    if (isFolder === null || strange.includes(name) || isFolder === (name === quarantine)) continue
    const [is, should] = isFolder ? ['a folder', 'a file'] : ['a file', 'a folder']
    throw new LedgerFolderError(
      `The ledger in ${folder} is broken: ${join(folder, name)} is ${is}, not ${should}.`,
      isBroken,
    )
  }
}

/** All else may be stored and deleted. */
async function hasCursor(folder: string): Promise<boolean> {
  const cursor = await readCursor(folder).catch(() => null)
  return cursor !== null && cursor !== 'damaged'
}

function listed(names: readonly string[]): string {
  const more = names.length - 3
  return [...names.slice(0, 3).map(name => `"${name}"`), ...(more > 0 ? [`${more} more`] : [])].join(', ')
}

function unusable(folder: string, error: unknown, fix: string): LedgerFolderError {
  switch (codeOf(error)) {
    case 'EACCES':
    case 'EPERM':
      return new LedgerFolderError(`The ledger in ${folder} is not the user’s that Weir runs as.`, fix)
    case 'EROFS':
      return new LedgerFolderError(`${folder} is on a read-only file system.`, fix)
    default:
      return new LedgerFolderError(`${folder} cannot be used (${codeOf(error)}).`, fix)
  }
}

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error))
