/** Debian's Prometheus for the tests. */
import { findPrograms } from './debian.ts'

export interface PrometheusPrograms {
  readonly prometheus: string
  readonly promtool: string
}

let found: Promise<PrometheusPrograms> | undefined

/** Asked for once in each process. */
export function findPrometheus(): Promise<PrometheusPrograms> {
  found ??= findPrograms({
    name: 'prometheus',
    programs: ['prometheus', 'promtool'],
    at: 'usr/bin',
    remedy:
      'The tests need a real Prometheus 2.42 or newer with promtool: install prometheus (Debian: apt-get install prometheus, macOS: brew install prometheus).',
  }).then(({ programs }) => programs)
  return found
}
