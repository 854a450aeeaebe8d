import { invalid } from '../admin/context.ts'
import { parseMonth } from '../domain/billing-month.ts'

/** The first moment of the month that somebody asks for. */
export function readMonth(text: string, param: string): number {
  try {
    return parseMonth(text)
  } catch {
    throw invalid(param, `${param} must be a month from 2020-01 to 9998-12.`)
  }
}
