/** What the image gets beside its base, by the Dockerfile, .dockerignore and the lockfile. */
import { globSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'
import { type Copy, parseDockerfile, type Stage } from './dockerfile.ts'

export interface ImageFile {
  /** From the root of the repository. */
  readonly from: string
  /** Absolute, in the image. */
  readonly to: string
  readonly bytes: number
}

export interface Image {
  readonly stage: Stage
  readonly files: readonly ImageFile[]
  /** Folders that it writes to, with the `uid:gid` of their owner. */
  readonly folders: readonly { readonly path: string; readonly owner: string | undefined }[]
}

const install = 'npm ci --omit=dev --omit=optional --ignore-scripts && mkdir /data'

/** `root` is the folder of the Dockerfile, with what the lockfile wants installed. Throws where it cannot tell. */
export function readImage(root: string): Image {
  const [packages, stage, ...others] = parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8'))
  if (packages === undefined || stage === undefined || others.length > 0) throw new Error('there are not two stages')
  if (packages.runs.join() !== install || stage.runs.length > 0) throw new Error('another command than is known is run')
  const modules = join(packages.workdir, 'node_modules')
  const isData = ({ from, sources }: Copy) => from === packages.name && sources.join() === '/data'
  const files = stage.copies.flatMap(copy => {
    if (copy.from === undefined) return filesOfContext(root, copy)
    if (isData(copy)) return []
    if (copy.from !== packages.name || copy.sources.join() !== modules)
      throw new Error(`no such files: ${copy.sources}`)
    return productionPackages(root).flatMap(place =>
      filesOfPackage(root, { place, target: posix.dirname(copy.target) }),
    )
  })
  return { stage, files, folders: stage.copies.filter(isData).map(({ target: path, owner }) => ({ path, owner })) }
}

/** A folder is copied by what is in it, a file into the target. */
function filesOfContext(root: string, { sources, target }: Copy): ImageFile[] {
  const sent = contextFiles(root)
  return sources.flatMap(source => {
    const inside = sent.filter(path => path === source || path.startsWith(`${source}/`))
    if (inside.length === 0) throw new Error(`COPY ${source}: .dockerignore lets nothing of it through`)
    return inside.map(from => {
      const to = posix.join(target, from === source ? posix.basename(from) : posix.relative(source, from))
      return { from, to, bytes: statSync(join(root, from)).size }
    })
  })
}

/** The files that .dockerignore lets through; like Docker, the last line that matches decides. */
function contextFiles(root: string): string[] {
  const lines = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n')
  const rules = lines.map(line => line.trim()).filter(line => line !== '' && !line.startsWith('#'))
  if (rules[0] !== '*') throw new Error('.dockerignore does not begin with leaving all out')
  const sent = new Set<string>()
  for (const rule of rules.slice(1)) {
    for (const path of filesUnder(root, rule.replace(/^!/, ''))) {
      if (rule.startsWith('!')) sent.add(path)
      else sent.delete(path)
    }
  }
  return [...sent]
}

function filesUnder(root: string, pattern: string): string[] {
  const paths = globSync(pattern, { cwd: root }).map(path => path.replaceAll('\\', '/'))
  if (paths.length === 0) throw new Error(`.dockerignore: nothing is called ${pattern}`)
  return paths.flatMap(path => {
    if (!statSync(join(root, path)).isDirectory()) return [path]
    return listFolder(join(root, path), () => true).map(file => `${path}/${file}`)
  })
}

/** Names from the folder on; without what is below a folder that is not entered. */
function listFolder(folder: string, enters: (name: string) => boolean): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    if (!entry.isDirectory()) return [entry.name]
    if (!enters(entry.name)) return []
    return listFolder(join(folder, entry.name), enters).map(path => `${entry.name}/${path}`)
  })
}

interface LockedPackage {
  readonly dev?: boolean
  readonly optional?: boolean
  readonly devOptional?: boolean
}

/** The places that `npm ci --omit=dev --omit=optional` fills, such as `node_modules/fastify`. */
export function productionPackages(root: string): string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>
  }
  const isOmitted = ({ dev, optional, devOptional }: LockedPackage) => dev || optional || devOptional
  return Object.entries(lock.packages).flatMap(([place, entry]) => (place === '' || isOmitted(entry) ? [] : [place]))
}

/** Packages in a package are places of their own. */
function filesOfPackage(root: string, { place, target }: { place: string; target: string }): ImageFile[] {
  return listFolder(join(root, place), name => name !== 'node_modules').map(file => {
    const from = `${place}/${file}`
    return { from, to: posix.join(target, from), bytes: statSync(join(root, from)).size }
  })
}
