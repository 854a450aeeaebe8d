/** Which file it is that stands under a name, whatever it is called: a name can be given to another one meanwhile. */
import { stat } from 'node:fs/promises'

export const identityOf = ({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string => `${dev}:${ino}`

/** Null where there is none. Rejects where nobody can say. */
export async function identityAt(path: string): Promise<string | null> {
  try {
    return identityOf(await stat(path, { bigint: true }))
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

/** The name is not there, or what should be a folder on the way to it is none. */
export function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
