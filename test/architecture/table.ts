/** The first table of a page whose first column has this heading, as the formatter has not padded it; '' where there is none. */
export function findTable(page: string, heading: string): string {
  const lines = page.split('\n')
  const start = lines.findIndex(line => line.startsWith(`| ${heading} `))
  if (start === -1) return ''
  const length = lines.slice(start).findIndex(line => !line.startsWith('|'))
  return lines
    .slice(start, start + length)
    .map(compact)
    .join('\n')
}

export const tableRow = (cells: readonly string[]): string => compact(`| ${cells.join(' | ')} |`)

const compact = (row: string): string => row.replace(/ {2,}/g, ' ').replace(/-{3,}/g, '---')
