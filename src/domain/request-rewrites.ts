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

/**
 * For an engine that takes a `tool_choice` naming a function for `auto`: to offer that tool alone and require a call comes
 * to the same.
 *
 * @param rewritten what rewriteFields has found.
 * @returns all new values by name, those of `rewritten` among them; undefined where no function is named.
 */
export function narrowToNamedTool(
  body: Readonly<Record<string, unknown>>,
  rewritten: ReadonlyMap<string, unknown> | undefined,
): ReadonlyMap<string, unknown> | undefined {
  const choice = body.tool_choice as ToolChoice | null | undefined
  if (typeof choice !== 'object' || choice?.type !== 'function') return undefined
  const { name } = choice.function
  const tools = (rewritten?.get('tools') ?? body.tools ?? []) as readonly Tool[]
  return new Map<string, unknown>([
    ...(rewritten ?? []),
    ['tools', tools.filter(tool => tool.function.name === name)],
    ['tool_choice', 'required'],
  ])
}
