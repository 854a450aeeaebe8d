import type { Resolved } from './config/resolved.ts'
import type { ConfigFile } from './schemas/config/root.ts'

/** Everything the program was told, defaults filled in, units resolved, frozen. */
export type Config = Resolved<ConfigFile>
