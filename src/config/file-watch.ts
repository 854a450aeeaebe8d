/** Says when the bytes of a file have become others, however they were written: in place, by a rename, or behind a link. */
import { createHash } from 'node:crypto'
import { createReadStream, type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'

export interface FileWatchOptions {
  readonly path: string
  /** SHA-256 in hex of the bytes that are known already; null for none. */
  readonly digest: string | null
  /** Told the digest of the bytes that are there now. A file that is missing or cannot be read is no change. */
  readonly onChange: (digest: string) => void
  /** How often it is looked at by itself, where no event says that something has happened. */
  readonly pollMs?: number
}

export interface FileWatch {
  close(): void
}

/** Editors write in several steps: so long nothing must have happened … */
const quietMs = 200
/** … but no longer than this, where something happens all the time. */
const maxQuietMs = 2000
const defaultPollMs = 2000
/** Of a larger file only the beginning counts; one that large is refused anyway. */
const maxBytes = 1024 * 1024

/**
 * Watches the folder, since an editor puts a new file in the place of the old one, and Kubernetes a link (`..data`) to a
 * new folder. Network file systems send no events, and a link may lead to a folder elsewhere: for these it is looked at every
 * two seconds as well. Keeps no process alive.
 */
export function watchFile({ path, digest, onChange, pollMs = defaultPollMs }: FileWatchOptions): FileWatch {
  let known = digest
  let stamp: string | null = null
  let isClosed = false
  const look = async () => {
    const found = await digestOf(path)
    if (isClosed || found === null || found === known) return
    known = found
    onChange(found)
  }
  const debounced = debounce(() => void look())
  const poll = async () => {
    const found = await stampOf(path)
    if (isClosed) return
    if (found !== stamp) debounced.stir()
    stamp = found
  }
  const watcher = watchFolder(path, () => debounced.stir())
  const timer = setInterval(() => void poll(), pollMs)
  timer.unref()
  return {
    close: () => {
      isClosed = true
      watcher?.close()
      clearInterval(timer)
      debounced.cancel()
    },
  }
}

function debounce(act: () => void) {
  let timer: NodeJS.Timeout | null = null
  let latestMs = 0
  return {
    stir() {
      const nowMs = performance.now()
      if (timer === null) latestMs = nowMs + maxQuietMs
      else clearTimeout(timer)
      const fire = () => {
        timer = null
        act()
      }
      timer = setTimeout(fire, Math.max(0, Math.min(quietMs, latestMs - nowMs)))
      timer.unref()
    },
    cancel() {
      if (timer !== null) clearTimeout(timer)
    },
  }
}

/** Null where the system has no events to give: then there is the look every two seconds. */
function watchFolder(path: string, onEvent: () => void): FSWatcher | null {
  const own = basename(path)
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
      if (name === null || name === own || name.startsWith('..')) onEvent()
    })
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return null
  }
}

/** Changes with every way of writing the file; null where there is none. */
async function stampOf(path: string): Promise<string | null> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true })
    return `${ino} ${size} ${mtimeNs}`
  } catch {
    return null
  }
}

async function digestOf(path: string): Promise<string | null> {
  try {
    // A pipe can be read once only, and was.
    if (!(await stat(path)).isFile()) return null
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(path, { end: maxBytes - 1 })) hash.update(chunk)
    return hash.digest('hex')
  } catch {
    return null
  }
}
