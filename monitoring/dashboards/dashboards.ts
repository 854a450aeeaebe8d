import { backends } from './backends.ts'
import { cache } from './cache.ts'
import type { Dashboard } from './dashboard.ts'
import { ledger } from './ledger.ts'
import { limits } from './limits.ts'
import { models } from './models.ts'
import { overview } from './overview.ts'
import { process } from './process.ts'

/** All of them, in the order in which somebody who was woken looks at them. */
export const dashboards: readonly Dashboard[] = [overview, models, cache, limits, backends, ledger, process]
