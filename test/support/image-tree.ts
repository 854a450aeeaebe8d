/** The files of the image, as its Dockerfile puts them, in a folder: what the container would run, without a container. */
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, constants, copyFileSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Image, readImage } from '../../scripts/image-content.ts'
import { root } from '../architecture/source-file.ts'
import { onEnd } from './cleanup.ts'
import { makeTempDir } from './temp-dir.ts'

export interface ImageTree {
  readonly image: Image
  /** Where a path of the image is. */
  at(path: string): string
  /** A user who may write nothing of it but the folders that are theirs; undefined where the test is no root. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
  /** The image's variables, with the paths of the tree. */
  readonly env: Record<string, string>
}

/** Takes two seconds: 8,000 files. Its Node is the one that runs the test, which the base would bring. */
export function buildImageTree(t: TestContext): ImageTree {
  const image = readImage(root)
  const folder = makeTempDir(t)
  const at = (path: string) => join(folder, path)
  const made = new Set<string>()
  const copy = (from: string, to: string) => {
    if (!made.has(dirname(to))) mkdirSync(dirname(to), { recursive: true })
    made.add(dirname(to))
    copyFileSync(from, to, constants.COPYFILE_FICLONE)
  }
  for (const { from, to } of image.files) copy(join(root, from), at(to))
  copy(process.execPath, at('/usr/local/bin/node'))
  execFileSync('chmod', ['-R', 'a-w,a+rX', folder])
  onEnd(t, () => execFileSync('chmod', ['-R', 'u+w', folder]))
  const isRoot = process.getuid?.() === 0
  const uid = Number(image.stage.user)
  for (const { path, owner } of image.folders) {
    if (!isRoot) chmodSync(folder, 0o755)
    mkdirSync(at(path), { recursive: true })
    if (isRoot) chownSync(at(path), Number(owner?.split(':')[0]), Number(owner?.split(':')[1]))
    if (!isRoot) chmodSync(folder, 0o555)
  }
  const isPath = (value: string) => value.startsWith('/')
  const variables = Object.entries(image.stage.env).map(([name, value]) => [name, isPath(value) ? at(value) : value])
  return { image, at, owner: isRoot ? { uid, gid: uid } : undefined, env: Object.fromEntries(variables) }
}
