/** Bills: invoices and their lines, the closing of months, credits. */
import { NullableText, OneOfTexts } from '../fields.ts'
import { type Static, Type } from '../typebox.ts'
import { ActorSchema } from './audit.ts'
import { closed, NameSchema, shownText } from './fields.ts'
import { pageFields } from './list.ts'

const monthForm = { pattern: '^[0-9]{4}-(?:0[1-9]|1[0-2])$', 'x-expects': 'a month such as 2026-11' } as const
const Month = (description: string) => Type.String({ ...monthForm, description })

export const BillingMonthParamsSchema = Type.Object({ month: Month('The month, UTC.') })
export type BillingMonthParams = Static<typeof BillingMonthParamsSchema>

export const ListInvoicesSchema = Type.Object(
  {
    month: Month('Of this month, UTC.'),
    account: Type.Optional(NameSchema('Of this account: its id, or its name. Of one that was deleted only by its id.')),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: 'Lines of one page, of all its invoices; 100 when absent.',
      }),
    ),
    cursor: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 8192,
        description: '`next_cursor` of the page before, in CSV its header `x-next-cursor`; with the same questions.',
      }),
    ),
  },
  closed,
)
export type ListInvoices = Static<typeof ListInvoicesSchema>

const usdForm = '^-?[0-9]+(\\.[0-9]{1,9})?$'
const Usd = (description: string) => Type.String({ pattern: usdForm, description })
const Price = (description: string) => NullableText({ pattern: usdForm, description })

/** Sums may be larger than a number holds: they are written to the last digit. 0 of credits. */
const Sum = (description: string) => Type.Unsafe<bigint>({ type: 'integer', minimum: 0, description })

const lineFields = {
  kind: OneOfTexts(['usage', 'late_usage', 'credit'], {
    description: 'Late is what came in when its month was closed already.',
  }),
  month: Type.String({
    description: 'In which it was used; of a credit the one that it corrects, or that of the invoice.',
  }),
  model: NullableText({ description: 'As it was asked for, aliases resolved.' }),
  price_version: NullableText({ description: 'By which it was counted, that of the model which has answered.' }),
  unpriced: Type.Boolean({
    description: 'It had no price, and so costs 0: that nobody has set one is not to say it is free.',
  }),
  requests: Sum('Requests that were sent to a backend, or were about to be.'),
  estimated_requests: Sum("How many of them have tokens that are not the engine's word."),
  uncached_input_tokens: Sum('Tokens of prompts without cached ones.'),
  cached_input_tokens: Sum('Tokens of prompts that a prompt cache had.'),
  output_tokens: Sum('Tokens of answers, those of reasoning included.'),
  backend_seconds: Type.String({ description: 'How long backends were busy, as decimal text.' }),
  input_price: Price('USD for a million uncached tokens; null where they have no price, as those below.'),
  cached_input_price: Price('USD for a million cached tokens.'),
  output_price: Price('USD for a million tokens of answers.'),
  second_price: Price('USD for a second of a backend.'),
  amount: Usd(
    'USD, exact: the sum of what the requests cost, each rounded once to 9 decimals. It is not quantity times price, which would be rounded elsewhere. Of a credit it is below 0.',
  ),
  credit: NullableText({ description: 'The id of the credit.' }),
  reason: NullableText({ description: 'Why there is a credit.' }),
}

const InvoiceLineSchema = Type.Object({ object: Type.Literal('invoice_line'), ...lineFields }, { title: 'InvoiceLine' })
export type InvoiceLineView = Static<typeof InvoiceLineSchema>

const invoiceFields = {
  number: NullableText({ description: 'Of one that is closed, and of no other; null of a draft.' }),
  month: Type.String(),
  status: OneOfTexts(['draft', 'closed'], {
    description: 'A draft is what it would be by now. Closed ones never change.',
  }),
  closed_at: NullableText({}),
  account: Type.String({ description: 'The id of the account.' }),
  account_name: NullableText({ description: 'As it was when the month was closed.' }),
  currency: Type.Literal('USD'),
  total: Usd('The sum of all its lines; below 0 where credits are more than what was used.'),
  unpriced_requests: Sum('On its lines without a price.'),
  line_count: Type.Integer({ minimum: 1, description: 'How many lines it has, on this page and on others.' }),
}

export const InvoiceSchema = Type.Object(
  {
    object: Type.Literal('invoice'),
    ...invoiceFields,
    lines: Type.Array(InvoiceLineSchema, {
      description: 'Those of this page; the next page begins with the next one.',
    }),
  },
  { title: 'Invoice' },
)
export type InvoiceView = Static<typeof InvoiceSchema>

/** The columns of a table of lines. */
export const invoiceColumns: readonly string[] = [
  ...Object.keys(invoiceFields).map(name => `invoice_${name}`),
  ...Object.keys(lineFields),
]

export const BillingMonthSchema = Type.Object(
  {
    object: Type.Literal('billing_month'),
    month: Type.String(),
    status: Type.Literal('closed'),
    closed_at: Type.String(),
    invoices: Type.Integer({ minimum: 0 }),
    lines: Type.Integer({ minimum: 0 }),
    currency: Type.Literal('USD'),
    total: Usd('Of all its invoices.'),
  },
  { title: 'BillingMonth' },
)
export type BillingMonthView = Static<typeof BillingMonthSchema>

export const ListMonthsSchema = Type.Object(pageFields, closed)
export type ListMonths = Static<typeof ListMonthsSchema>

export const ListedMonthSchema = Type.Object(
  {
    object: Type.Literal('billing_month'),
    month: Type.String(),
    status: OneOfTexts(['open', 'closed'], { description: 'Invoices of an open month are drafts.' }),
    closed_at: NullableText({ description: 'Null while it is open.' }),
    closed_by: Type.Union([ActorSchema('Who has closed it, as the audit log names them.'), Type.Null()], {
      description: 'Null while it is open.',
    }),
    invoices: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
      description: 'How many it has; null while it is open, since drafts have no numbers.',
    }),
  },
  { title: 'ListedBillingMonth' },
)
export type ListedMonthView = Static<typeof ListedMonthSchema>

export const CreateCreditSchema = Type.Object(
  {
    account: NameSchema('Whom it is given: the id of the account, or its name.'),
    amount_usd: Type.String({
      pattern: '^[0-9]{1,9}(?:\\.[0-9]{1,9})?$',
      'x-expects': 'an amount such as "12.50", with at most 9 decimals',
      description: 'USD as decimal text, more than 0 and at most 9 million.',
    }),
    reason: Type.String({ minLength: 1, maxLength: 500, ...shownText, description: 'It stands on the invoice.' }),
    month: Type.Optional(Month('Which it corrects, one that has begun. It is on the next invoice all the same.')),
  },
  {
    title: 'CreateCredit',
    ...closed,
    examples: [{ account: 'acme', amount_usd: '12.50', reason: 'Outage of 24 November', month: '2026-11' }],
  },
)
export type CreateCredit = Static<typeof CreateCreditSchema>

export const ListCreditsSchema = Type.Object(
  { ...pageFields, account: Type.Optional(NameSchema('Of this account: its id, or its name.')) },
  closed,
)
export type ListCredits = Static<typeof ListCreditsSchema>

export const CreditSchema = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('credit'),
    account: Type.String({ description: 'The id of the account.' }),
    amount_usd: Usd('USD as decimal text.'),
    reason: Type.String(),
    month: NullableText({ description: 'Which it corrects.' }),
    created_at: Type.String(),
    invoice: NullableText({ description: 'The number of the invoice that it is on; null while that is a draft.' }),
  },
  { title: 'Credit' },
)
export type CreditView = Static<typeof CreditSchema>
