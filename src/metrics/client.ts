/** The constructors of metrics, of the registry that the plugin metrics keeps. */
export type MetricsClient = Pick<typeof import('@prometheus-io/client'), 'Counter' | 'Gauge' | 'Histogram'>
