/** What commands show on a terminal. */

/** What a terminal would obey, or turn the line around for, is shown as a question mark. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '?')
}

/** Columns as wide as what stands in them; the first row is the head. */
export function asTable(rows: readonly (readonly string[])[]): string {
  const shown = rows.map(row => row.map(printable))
  const widths = shown.reduce<number[]>((most, row) => row.map((cell, i) => Math.max(most[i] ?? 0, cell.length)), [])
  const lines = shown.map(row => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  '))
  return lines.map(line => `${line.trimEnd()}\n`).join('')
}

export const dayOf = (time: string | null, otherwise: string): string => time?.slice(0, 10) ?? otherwise
