/** Programs of Debian's packages for the tests: from the PATH, or unpacked beside the modules, without installing anything. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export interface Wanted<Name extends string> {
  /** Of the package that has the programs; the folder that it is kept in is named after it and its version. */
  readonly name: string
  /** What else is unpacked with it, such as libraries that few machines have. */
  readonly beside?: readonly string[]
  readonly programs: readonly Name[]
  /** Where the package has them, as `usr/bin`. */
  readonly at: string
  /** Where an installed one may have them beside the PATH. */
  readonly folders?: readonly string[]
  /** What a person is to do who has none of it. */
  readonly remedy: string
}

export interface Found<Name extends string> {
  /** The path of each. */
  readonly programs: Readonly<Record<Name, string>>
  /** For LD_LIBRARY_PATH; none where they are from the PATH. */
  readonly libraries: string | undefined
}

const run = promisify(execFile)
const cache = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url))
/** For one call of apt-get, which may be on a slow line. */
const maxAptMs = 60_000

/** Two processes that bring them at once both get a whole package. */
export async function findPrograms<Name extends string>(wanted: Wanted<Name>): Promise<Found<Name>> {
  return findOnPath(wanted) ?? (await findInCache(wanted)) ?? (await bring(wanted))
}

function findOnPath<Name extends string>(wanted: Wanted<Name>): Found<Name> | undefined {
  const usual = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/opt/homebrew/bin']
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...usual, ...(wanted.folders ?? [])]
  const programs = folders.map(folder => programsIn(folder, wanted)).find(isThere)
  return programs === undefined ? undefined : { programs, libraries: undefined }
}

function programsIn<Name extends string>(folder: string, { programs }: Wanted<Name>): Record<Name, string> {
  return Object.fromEntries(programs.map(name => [name, join(folder, name)])) as Record<Name, string>
}

function isThere(programs: Readonly<Record<string, string>>): boolean {
  try {
    for (const path of Object.values(programs)) accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A folder of this name is whole: it gets it when all is in it. */
async function findInCache<Name extends string>(wanted: Wanted<Name>): Promise<Found<Name> | undefined> {
  await mkdir(cache, { recursive: true })
  const pattern = new RegExp(`^${wanted.name}-\\d`)
  const kept = (await readdir(cache)).filter(name => pattern.test(name)).sort()
  const found = await Promise.all(kept.map(name => foundIn(join(cache, name), wanted)))
  return found.findLast(({ programs }) => isThere(programs))
}

async function foundIn<Name extends string>(place: string, wanted: Wanted<Name>): Promise<Found<Name>> {
  const lib = join(place, 'usr/lib')
  const folders = await readdir(lib).catch(() => [])
  const libraries = folders.filter(name => name.endsWith('-linux-gnu')).map(name => join(lib, name))
  return { programs: programsIn(join(place, wanted.at), wanted), libraries: libraries.join(delimiter) || undefined }
}

async function bring<Name extends string>(wanted: Wanted<Name>): Promise<Found<Name>> {
  const { name, beside = [], remedy } = wanted
  process.stderr.write(`${name} is not installed: unpacking the package of Debian\n`)
  const folder = await mkdtemp(join(tmpdir(), `weir-${name}-`))
  const unpacked = join(cache, `.${name}-${randomUUID()}`)
  try {
    const files = await download(folder, [name, ...beside])
    for (const file of files) await run('dpkg-deb', ['-x', join(folder, file), unpacked], { timeout: maxAptMs })
    // `prometheus_2.42.0+ds-5_amd64.deb`; what apt writes as %3a is a colon.
    const version = files
      .find(file => file.startsWith(`${name}_`))
      ?.split('_')[1]
      ?.replaceAll(/[^\w.+~-]/g, '-')
    const place = join(cache, `${name}-${version}`)
    await rename(unpacked, place).catch(async error => {
      // Another process was first, and the two are alike.
      if (!isThere((await foundIn(place, wanted)).programs)) throw error
    })
    const found = await foundIn(place, wanted)
    if (!isThere(found.programs)) throw new Error(`there is no ${wanted.programs.join(' and ')} in ${files.join(', ')}`)
    return found
  } catch (error) {
    throw new Error(`${remedy} They could not be brought: ${messageOf(error)}`, { cause: error })
  } finally {
    for (const path of [folder, unpacked]) await rm(path, { recursive: true, force: true })
  }
}

/** The names of the packages' files. Lists that are old or not there yet are fetched anew, which only root may do. */
async function download(folder: string, packages: readonly string[]): Promise<string[]> {
  const get = () => run('apt-get', ['-q', 'download', ...packages], { cwd: folder, timeout: maxAptMs })
  try {
    await get()
  } catch (error) {
    if (process.getuid?.() !== 0) throw error
    await run('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=60', 'update'], { timeout: maxAptMs })
    await get()
  }
  const files = (await readdir(folder)).filter(name => name.endsWith('.deb'))
  if (files.length < packages.length)
    throw new Error(`apt-get has brought no more than ${files.join(', ') || 'nothing'}`)
  return files
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message.trim().slice(-1000) : String(error))
