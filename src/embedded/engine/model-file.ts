import { open } from 'node:fs/promises'
import { basename } from 'node:path'

/** The public name of a model file: its base name without `.gguf`. */
export function modelNameOf(path: string): string {
  return basename(path).replace(/\.gguf$/i, '')
}

/**
 * Why this file cannot be a model, in words that name it, or null when it looks like one. The binding must never see a
 * file that is missing or not GGUF: it does not throw, it takes the whole process down.
 */
export async function findModelFileFault(path: string): Promise<string | null> {
  try {
    await using file = await open(path, 'r')
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    return buffer.toString('latin1') === 'GGUF' ? null : `the model file ${path} is not a GGUF file`
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return `the model file ${path} cannot be read: ${detail}`
  }
}
