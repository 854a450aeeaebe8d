/** The one door to TypeBox, so that a move to another major is a change of one line. */
import { type Static, type TSchema, Type } from '@sinclair/typebox'

export type { Static, TSchema }
export { Type }
