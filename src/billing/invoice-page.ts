/** An invoice as one page to be printed: nothing is loaded, nothing runs, and whatever stands in it is text. */
import { hash } from 'node:crypto'
import type { InvoiceLineView, InvoiceView } from '../schemas/admin/billing.ts'
import { type Html, html } from './html.ts'

const style = `
:root { color-scheme: light; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.4 system-ui, sans-serif; color: #111; background: #fff; }
h1 { margin: 0 0 1rem; font-size: 1.5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0 0 1.5rem; }
dt { color: #555; }
dd { margin: 0; overflow-wrap:anywhere; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .4rem .5rem; border-bottom: 1px solid #ccc; text-align: left; vertical-align: top; overflow-wrap:anywhere; }
th { border-bottom: 2px solid #111; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
tfoot td { border-bottom: 0; border-top: 2px solid #111; font-weight: bold; }
small { display: block; color: #555; }
.flag { color: #8a1c00; font-weight: bold; }
@media print {
  @page { margin: 1.5cm; }
  body { max-width: none; margin: 0; padding: 0; font-size: 10pt; }
  thead { display: table-header-group; }
  tfoot { display: table-row-group; }
  tr { break-inside: avoid; }
}
`

const styleSource = `style-src 'sha256-${hash('sha256', style, 'base64')}'`

/** For the header; the page has the same but for what only a header can say, since it may be kept as a file. */
export const pagePolicy = `default-src 'none'; ${styleSource}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox`

export function invoicePage(invoice: InvoiceView): string {
  const title = invoice.number === null ? `Draft of the invoice for ${invoice.month}` : `Invoice ${invoice.number}`
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'none'; ${styleSource}; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${{ html: style }}</style>
</head>
<body>
<h1>${title}</h1>
<dl>
<dt>Account</dt><dd><bdi>${invoice.account_name ?? 'without a name'}</bdi><small>${invoice.account}</small></dd>
<dt>Month</dt><dd>${invoice.month}, UTC</dd>
<dt>Status</dt><dd>${statusOf(invoice)}</dd>
<dt>Currency</dt><dd>${invoice.currency}</dd>
</dl>
<table>
<thead><tr><th>What</th><th class="number">Quantity</th><th class="number">Unit price</th><th class="number">Amount</th></tr></thead>
<tbody>
${invoice.lines.map(rowOf)}</tbody>
<tfoot><tr><td colspan="3">Total, ${invoice.currency}</td><td class="number">${invoice.total}</td></tr></tfoot>
</table>
<p>Each amount is the exact sum of what the requests of its line have cost, each of them rounded once. Quantity times unit
price can differ from it in the last decimals. Months are in UTC. Taxes are not included.</p>
${invoice.unpriced_requests === 0n ? '' : unpricedNote(invoice.unpriced_requests)}</body>
</html>
`
  return page.html
}

const statusOf = ({ status, closed_at }: InvoiceView): string =>
  status === 'draft'
    ? 'Draft: it changes until the month is closed'
    : `Closed at ${closed_at}; it does not change any more`

const unpricedNote = (requests: bigint): Html =>
  html`<p class="flag">Without a price, and so billed with 0: ${requestsOf(requests)}. Their model had none when they came.</p>
`

function rowOf(line: InvoiceLineView): Html {
  const quantities = line.kind === 'credit' ? [] : quantitiesOf(line)
  const stacked = (texts: readonly string[]) => texts.map(text => html`${text}<br>`)
  return html`<tr><td>${descriptionOf(line)}</td><td class="number">${stacked(quantities.map(([quantity]) => quantity))}</td><td class="number">${stacked(quantities.map(([, price]) => price))}</td><td class="number">${line.amount}</td></tr>
`
}

function descriptionOf({ kind, month, model, price_version, unpriced, requests, reason }: InvoiceLineView): Html {
  if (kind === 'credit') return html`Credit: <bdi>${reason ?? ''}</bdi><small>for ${month}</small>`
  const late = kind === 'late_usage' ? html`Late usage of ${month}: ` : ''
  const price = unpriced ? html`<span class="flag">no price</span>` : html`price ${price_version ?? ''}`
  return html`${late}<bdi>${model ?? ''}</bdi><small>${requestsOf(requests)}, ${price}</small>`
}

type Quantity = readonly [quantity: string, price: string]

/** All of what the price is for; of what has none, or one that was never recorded, all that was used. */
function quantitiesOf(line: InvoiceLineView): readonly Quantity[] {
  const tokens: readonly Quantity[] = [
    [`${line.uncached_input_tokens} input tokens`, perMillion(line.input_price)],
    [`${line.cached_input_tokens} cached input tokens`, perMillion(line.cached_input_price)],
    [`${line.output_tokens} output tokens`, perMillion(line.output_price)],
  ]
  const time: Quantity = [`${line.backend_seconds} s of a backend`, line.second_price ?? '–']
  if (line.second_price !== null) return [time]
  return line.input_price === null ? [...tokens, time] : tokens
}

const requestsOf = (requests: bigint): string => `${requests} ${requests === 1n ? 'request' : 'requests'}`

const perMillion = (price: string | null): string => (price === null ? '–' : `${price} per million`)
