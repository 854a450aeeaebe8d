/** Tables as text: RFC 4180, and harmless where a spreadsheet opens them. */
import { preferredOf } from './media-type.ts'

/** Whether the `accept` of a request names CSV before JSON. */
export const prefersCsv = (accept: string | undefined): boolean =>
  preferredOf(['application/json', 'text/csv'], accept) === 'text/csv'

/** A line of the columns' names, and one for each row; null and what is not there are empty, lists and objects are JSON. */
export function writeCsv(columns: readonly string[], rows: readonly Readonly<Record<string, unknown>>[]): string {
  const lines = [columns, ...rows.map(row => columns.map(column => textOf(row[column])))]
  return lines.map(cells => `${cells.map(writeCell).join(',')}\r\n`).join('')
}

const textOf = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '')

/**
 * What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"), in full width too. Some have other
 * separators than commas, and for them quotes that do not begin a cell of theirs are text: so a formula may begin after these as
 * well.
 */
const formula = /(?<=^|[;\t\r\n])(?=["\s]*[=+\-@＝＋－＠])|^(?=[\t\r\n])/g
/** Amounts below 0 are to be added up. */
const plainNumber = /^-[0-9]+(?:\.[0-9]+)?$/
/** What separates cells or lines, here or in a spreadsheet of other habits. */
const needsQuotes = /[",;\r\n\t]/

function writeCell(text: string): string {
  const harmless = plainNumber.test(text) ? text : text.replace(formula, "'")
  return needsQuotes.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
