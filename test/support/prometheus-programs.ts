/** Debian's Prometheus for the tests: from the PATH, or unpacked beside the modules, without installing anything. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export interface PrometheusPrograms {
  readonly prometheus: string
  readonly promtool: string
}

const run = promisify(execFile)
const cache = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url))
/** For one call of apt-get, which may be on a slow line. */
const maxAptMs = 60_000
const remedy =
  'The tests need a real Prometheus 2.42 or newer with promtool: install prometheus (Debian: apt-get install prometheus, macOS: brew install prometheus).'

let found: Promise<PrometheusPrograms> | undefined

/** Asked for once in each process; two processes that bring it at once both get a whole one. */
export function findPrometheus(): Promise<PrometheusPrograms> {
  found ??= findOnPath() ?? findInCache().then(kept => kept ?? bring())
  return found
}

function findOnPath(): Promise<PrometheusPrograms> | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
  const programs = folders.map(programsIn).find(isThere)
  return programs === undefined ? undefined : Promise.resolve(programs)
}

const programsIn = (folder: string): PrometheusPrograms => ({
  prometheus: join(folder, 'prometheus'),
  promtool: join(folder, 'promtool'),
})

function isThere({ prometheus, promtool }: PrometheusPrograms): boolean {
  try {
    for (const path of [prometheus, promtool]) accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A folder of this name is whole: it gets it when all is in it. */
async function findInCache(): Promise<PrometheusPrograms | undefined> {
  await mkdir(cache, { recursive: true })
  const kept = (await readdir(cache)).filter(name => /^prometheus-\d/.test(name)).sort()
  return kept.map(name => programsIn(join(cache, name, 'usr/bin'))).findLast(isThere)
}

async function bring(): Promise<PrometheusPrograms> {
  process.stderr.write('prometheus is not installed: unpacking the package of Debian\n')
  const folder = await mkdtemp(join(tmpdir(), 'weir-prometheus-'))
  const unpacked = join(cache, `.prometheus-${randomUUID()}`)
  try {
    const file = await download(folder)
    await run('dpkg-deb', ['-x', join(folder, file), unpacked], { timeout: maxAptMs })
    // `prometheus_2.42.0+ds-5_amd64.deb`; what apt writes as %3a is a colon.
    const version = file.split('_')[1]?.replaceAll(/[^\w.+~-]/g, '-')
    const place = join(cache, `prometheus-${version}`)
    await rename(unpacked, place).catch(async error => {
      // Another process was first, and the two are alike.
      if (!isThere(programsIn(join(place, 'usr/bin')))) throw error
    })
    const programs = programsIn(join(place, 'usr/bin'))
    if (!isThere(programs)) throw new Error(`there is no prometheus and promtool in ${file}`)
    return programs
  } catch (error) {
    throw new Error(`${remedy} They could not be brought: ${messageOf(error)}`, { cause: error })
  } finally {
    for (const path of [folder, unpacked]) await rm(path, { recursive: true, force: true })
  }
}

/** The name of the package's file. Lists that are old or not there yet are fetched anew, which only root may do. */
async function download(folder: string): Promise<string> {
  const get = () => run('apt-get', ['-q', 'download', 'prometheus'], { cwd: folder, timeout: maxAptMs })
  try {
    await get()
  } catch (error) {
    if (process.getuid?.() !== 0) throw error
    await run('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=60', 'update'], { timeout: maxAptMs })
    await get()
  }
  const file = (await readdir(folder)).find(name => name.endsWith('.deb'))
  if (file === undefined) throw new Error('apt-get has brought no package')
  return file
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message.trim().slice(-1000) : String(error))
