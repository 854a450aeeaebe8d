/**
 * Whether a name is allowed by a list of names and globs, where `*` stands for any run of characters. Linear: each star
 * is matched greedily once, so no pattern can make it slow.
 */
export function isAllowed(name: string, patterns: readonly string[]): boolean {
  return patterns.some(pattern => pattern === '*' || matches(name, pattern))
}

function matches(name: string, pattern: string): boolean {
  const parts = pattern.split('*')
  const first = parts[0] ?? ''
  if (parts.length === 1) return name === pattern
  const last = parts[parts.length - 1] ?? ''
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false
  let from = first.length
  const end = name.length - last.length
  for (const part of parts.slice(1, -1)) {
    const at = name.indexOf(part, from)
    if (at < 0 || at + part.length > end) return false
    from = at + part.length
  }
  return true
}
