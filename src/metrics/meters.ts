import { type AdmissionMeters, buildAdmissionMeters } from './admission-meters.ts'
import { type ArmMeter, buildArmMeter } from './arm-meter.ts'
import { type AttemptMeter, buildAttemptMeter } from './attempt-meters.ts'
import { type AuthMeter, buildAuthMeter } from './auth-meter.ts'
import { buildInfo } from './build-info.ts'
import { buildCacheMeters, type CacheMeters } from './cache-meters.ts'
import type { MetricsClient } from './client.ts'
import { buildConfigurationMeters, type ConfigurationMeters } from './configuration-meters.ts'
import { buildFloodMeter, type FloodMeter } from './flood-meter.ts'
import { buildLedgerMeters, type LedgerMeters } from './ledger-meters.ts'
import { buildLimitMeters, type LimitMeters } from './limit-meters.ts'
import { buildMemoryLimits } from './memory-limits.ts'
import { buildRequestMeters, type RequestMeters } from './request-meters.ts'
import { buildSemanticMeters, type SemanticMeters } from './semantic-meters.ts'
import { buildShadowMeter, type ShadowMeter } from './shadow-meter.ts'
import { buildStateMeters, type StateMeters } from './state-meters.ts'
import { buildTraceMeters, type TraceMeters } from './trace-meters.ts'
import { buildWebhookMeters, type WebhookMeters } from './webhook-meters.ts'

/** All metrics of Weir's own. */
export interface Meters {
  readonly requests: RequestMeters
  readonly observeAttempts: AttemptMeter
  readonly observeAuthentication: AuthMeter
  readonly observeFloodDenial: FloodMeter
  readonly limits: LimitMeters
  readonly ledger: LedgerMeters
  readonly admission: AdmissionMeters
  readonly states: StateMeters
  readonly configuration: ConfigurationMeters
  readonly webhooks: WebhookMeters
  readonly traces: TraceMeters
  readonly cache: CacheMeters
  readonly semantic: SemanticMeters
  readonly observeArm: ArmMeter
  readonly observeShadow: ShadowMeter
}

export function buildMeters(client: MetricsClient, version: string): Meters {
  buildInfo(client, version)
  buildMemoryLimits(client)
  return {
    requests: buildRequestMeters(client),
    observeAttempts: buildAttemptMeter(client),
    observeAuthentication: buildAuthMeter(client),
    observeFloodDenial: buildFloodMeter(client),
    limits: buildLimitMeters(client),
    ledger: buildLedgerMeters(client),
    admission: buildAdmissionMeters(client),
    states: buildStateMeters(client),
    configuration: buildConfigurationMeters(client),
    webhooks: buildWebhookMeters(client),
    traces: buildTraceMeters(client),
    cache: buildCacheMeters(client),
    semantic: buildSemanticMeters(client),
    observeArm: buildArmMeter(client),
    observeShadow: buildShadowMeter(client),
  }
}
