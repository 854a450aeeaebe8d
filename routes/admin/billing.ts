import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { closeBillingMonth } from '../../src/billing/closing.ts'
import { createCredit, readCredits } from '../../src/billing/credits.ts'
import { invoicePage, pagePolicy } from '../../src/billing/invoice-page.ts'
import { invoicesOf, readInvoice, readInvoices, tableOf } from '../../src/billing/invoices.ts'
import { readMonths } from '../../src/billing/month-list.ts'
import {
  type BillingMonthParams,
  BillingMonthParamsSchema,
  BillingMonthSchema,
  type CreateCredit,
  CreateCreditSchema,
  CreditSchema,
  InvoiceSchema,
  invoiceColumns,
  type ListCredits,
  ListCreditsSchema,
  ListedMonthSchema,
  type ListInvoices,
  ListInvoicesSchema,
  type ListMonths,
  ListMonthsSchema,
} from '../../src/schemas/admin/billing.ts'
import { type IdempotencyHeaders, IdempotencyHeadersSchema } from '../../src/schemas/admin/fields.ts'
import { ListSchema } from '../../src/schemas/admin/list.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { changeErrors, keyErrors, recordErrors } from '../../src/schemas/error-body.ts'
import { Type } from '../../src/schemas/typebox.ts'
import { pageAnswer } from '../../src/schemas/usage-list.ts'
import { preferredOf } from '../../src/usage/media-type.ts'
import { sendPage } from '../usage-page.ts'
import { actorOf, sendCreation } from './exchange.ts'

const about = (operationId: string, summary: string) => ({ operationId, tags: ['Administration'], summary })

const routeOf = ({ internal }: FastifyInstance) =>
  ({ config: { operation: 'admin.billing', scope: 'admin' }, constraints: internal }) as const

/** What accounts owe. */
export default async function billing(app: FastifyInstance): Promise<void> {
  const route = routeOf(app)
  app.get<{ Querystring: ListInvoices }>(
    '/billing/invoices',
    {
      ...route,
      schema: {
        ...about('listInvoices', 'Get the invoices of a month, line by line'),
        description:
          'A draft is what the invoice would be by now; when the month is closed it is written down and never changes. ' +
          'HTML is one page to be printed, of the account that is named.',
        querystring: ListInvoicesSchema,
        response: { 200: invoiceAnswer, ...recordErrors },
      },
    },
    async (request, reply) => await sendInvoices(app, request, reply),
  )
  months(app)
  app.post<{ Body: CreateCredit; Headers: IdempotencyHeaders }>(
    '/billing/credits',
    {
      ...route,
      schema: {
        ...about('createCredit', 'Give an account money back, on its next invoice'),
        headers: IdempotencyHeadersSchema,
        body: CreateCreditSchema,
        response: {
          201: jsonAnswer('The new credit.', CreditSchema),
          200: jsonAnswer('The credit that this request has made before.', CreditSchema),
          ...changeErrors,
        },
      },
    },
    async (request, reply) => {
      const idempotencyKey = request.headers['idempotency-key'] ?? null
      const creation = await createCredit(app.sql, actorOf(request), { body: request.body, idempotencyKey })
      return sendCreation(reply, creation)
    },
  )
  app.get<{ Querystring: ListCredits }>(
    '/billing/credits',
    {
      ...route,
      schema: {
        ...about('listCredits', 'List credits, newest first'),
        querystring: ListCreditsSchema,
        response: { 200: jsonAnswer('A page of credits.', ListSchema('CreditList', CreditSchema)), ...recordErrors },
      },
    },
    async request => readCredits(app.sql, request.query),
  )
}

function months(app: FastifyInstance): void {
  const route = routeOf(app)
  app.get<{ Querystring: ListMonths }>(
    '/billing/months',
    {
      ...route,
      schema: {
        ...about('listBillingMonths', 'List the months that are billed, newest first, and whether they are closed'),
        description: 'From the first that has usage, or that was closed, to the current one.',
        querystring: ListMonthsSchema,
        response: {
          200: jsonAnswer('A page of months.', ListSchema('BillingMonthList', ListedMonthSchema)),
          ...keyErrors,
        },
      },
    },
    async request => readMonths(app.sql, request.query),
  )
  app.post<{ Params: BillingMonthParams }>(
    '/billing/months/:month/close',
    {
      ...route,
      schema: {
        ...about('closeBillingMonth', 'Close a month: its invoices get their numbers and never change again'),
        description:
          'May be repeated. What this replica has recorded is stored before; what other replicas store later is billed ' +
          'with the next month, on lines of its own.',
        params: BillingMonthParamsSchema,
        response: { 200: jsonAnswer('The month as it was closed.', BillingMonthSchema), ...changeErrors },
      },
    },
    async request => {
      const { sql, ledger } = app
      const context = { sql, flush: (withinMs: number) => ledger.flush(withinMs) }
      return await closeBillingMonth(context, actorOf(request), request.params)
    },
  )
}

async function sendInvoices(
  { sql }: FastifyInstance,
  request: FastifyRequest<{ Querystring: ListInvoices }>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { query, headers } = request
  switch (preferredOf(['application/json', 'text/csv', 'text/html'], headers.accept)) {
    case 'application/json':
      return reply.send(invoicesOf(await readInvoices(sql, query)))
    case 'text/csv':
      return sendPage(request, reply, { page: tableOf(await readInvoices(sql, query)), columns: invoiceColumns })
    case 'text/html':
      return sendPrinted(reply, invoicePage(await readInvoice(sql, query)))
  }
}

const { description, content } = pageAnswer(
  'A page of lines, by their invoices.',
  ListSchema('InvoiceList', InvoiceSchema),
)
const invoiceAnswer = {
  description,
  content: {
    ...content,
    'text/html': {
      schema: Type.String({ description: 'One invoice to be printed: no script, nothing that is loaded.' }),
    },
  },
}

const sendPrinted = (reply: FastifyReply, page: string): FastifyReply =>
  reply
    .header('content-security-policy', pagePolicy)
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'no-referrer')
    .type('text/html; charset=utf-8')
    .send(page)
