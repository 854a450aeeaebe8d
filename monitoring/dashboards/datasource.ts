/** The Prometheus that is chosen at the top. */
export const datasource = { type: 'prometheus', uid: '$datasource' } as const
