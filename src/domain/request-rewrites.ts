import type { Tool, ToolChoice } from '../schemas/tool.ts'
import type { Operation } from './field-policy.ts'
import { pruneFields } from './nested-fields.ts'

/**
 * The fields of a validated and checked request that must go to a backend in another form than they came.
 *
 * @returns new values by name; undefined, the usual case, where every field may go as it is.
 */
export function rewriteFields(
  operation: Operation,
  body: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, unknown> | undefined {
  const pruned = pruneFields(operation, body)
  const choice = body.tool_choice as ToolChoice | null | undefined
  if (operation !== 'chat' || typeof choice !== 'object' || choice?.type !== 'allowed_tools') return pruned
  // Engines know no `allowed_tools`. To offer only those tools, in that mode, comes to the same.
  const names = new Set(choice.allowed_tools.tools.map(tool => tool.function.name))
  const tools = (pruned?.get('tools') ?? body.tools ?? []) as readonly Tool[]
  const offered = tools.filter(tool => names.has(tool.function.name))
  return new Map<string, unknown>([...(pruned ?? []), ['tools', offered], ['tool_choice', choice.allowed_tools.mode]])
}
