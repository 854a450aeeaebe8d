const factors: Readonly<Record<string, number>> = { '': 1, m: 1e-3, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 }

/** `500m` → 0.5, `1Gi` → 1073741824. Throws on units that no manifest has so far. */
export function quantityOf(text: string | undefined): number {
  const [, digits, unit = ''] = /^(\d+)([A-Za-z]*)$/.exec(text ?? '') ?? []
  const factor = factors[unit]
  if (digits === undefined || factor === undefined) throw new Error(`${text} is no quantity`)
  return Number(digits) * factor
}
