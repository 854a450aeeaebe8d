import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './source-file.ts'

type Versions = Readonly<Record<string, string>>

export interface Manifest {
  readonly dependencies: Versions
  readonly devDependencies: Versions
  readonly optionalDependencies: Versions
  readonly overrides: Versions
}

/** One installed package. */
export interface LockedPackage {
  readonly version: string
  /** Its real name, where it stands in for another. */
  readonly name?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly optional?: boolean
  readonly os?: string | readonly string[]
  readonly cpu?: string | readonly string[]
  readonly optionalDependencies?: Versions
}

const read = (name: string): string => readFileSync(join(root, name), 'utf8')

export const manifest = JSON.parse(read('package.json')) as Manifest
export const lockText = read('package-lock.json')
export const npmrc = read('.npmrc')

const { packages } = JSON.parse(lockText) as { packages: Readonly<Record<string, LockedPackage>> }

/** Everything that gets installed, by where: `node_modules/fastify`. The project itself is not among it. */
export const locked = new Map(Object.entries(packages).filter(([place]) => place !== ''))

/** Every copy of a package, however deep. */
export function copiesOf(name: string): readonly LockedPackage[] {
  return [...locked].flatMap(([place, entry]) => (place.endsWith(`node_modules/${name}`) ? [entry] : []))
}

/** Where node would look for `name` from the package at `place`, and the lockfile has it. */
export function findFrom(place: string, name: string): LockedPackage | undefined {
  for (let at = place; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const found = locked.get(`${at === '' ? '' : `${at}/`}node_modules/${name}`)
    if (found !== undefined || at === '') return found
  }
}

/** Whether `version` is at least `floor`; a prerelease counts as its release. */
export function isAtLeast(version: string, floor: string): boolean {
  const parts = (text: string) => (text.split(/[-+]/)[0] ?? '').split('.').map(Number)
  const wanted = parts(floor)
  for (const [index, part] of parts(version).entries()) {
    const least = wanted[index] ?? 0
    if (part !== least) return part > least
  }
  return true
}
