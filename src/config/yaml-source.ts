import { hash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from 'yaml'
import type { KeyPath, Place } from './place.ts'
import { type Complaint, type Problem, problemAt } from './problem.ts'
import { emptyMap, type Scalar, type Written, type WrittenEntry, type WrittenMap } from './written.ts'

const maxFileBytes = 1024 * 1024
/** A few lines of nested aliases can stand for billions of values. */
const maxNodes = 50_000
const maxDepth = 32

export interface YamlSource {
  readonly tree: WrittenMap
  readonly problems: readonly Problem[]
}

export interface YamlFile extends YamlSource {
  /** SHA-256 of its bytes, in hex; null where they could not be read. */
  readonly digest: string | null
}

/**
 * Reads `path` as one YAML 1.2 document. `label` is how the problems and origins call the file. With problems the tree
 * is empty; their words never quote the file, because a secret may stand there by mistake.
 */
export function readYaml(path: string, label: string): YamlFile {
  try {
    if (statSync(path).size > maxFileBytes) return unreadable(label, 'The file is larger than 1 MiB.', 'Shorten it.')
    const bytes = readFileSync(path)
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return { ...parseYaml(text, label), digest: hash('sha256', bytes) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
      return unreadable(label, 'The file is not UTF-8.', 'Save it in UTF-8.')
    }
    return unreadable(label, `The file cannot be read (${code}).`, 'Make it readable for the user that Weir runs as.')
  }
}

function unreadable(file: string, problem: string, fix: string): YamlFile {
  const problems = [problemAt({ from: 'file', file, line: 1, column: 1 }, [], { problem, fix })]
  return { tree: emptyMap(), problems, digest: null }
}

/** The same for text that is already in memory. */
export function parseYaml(text: string, label: string): YamlSource {
  const lines = new LineCounter()
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { from: 'file', file: label, line: Math.max(1, line), column: Math.max(1, col) }
  }
  let document: Document.Parsed
  try {
    // Names must be unique; the reader below sees to it, in time that does not grow with the square of their number.
    document = parseDocument(text, { version: '1.2', lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  } catch {
    return unreadable(label, 'The file is nested too deeply.', 'Flatten it.')
  }
  // Under 1.1 `yes` is true and `1:30` is ninety.
  if (document.directives.yaml.version !== '1.2') {
    return unreadable(label, 'The file declares an older YAML than 1.2.', 'Remove the line that begins with %YAML.')
  }
  const faults = [...document.errors, ...document.warnings]
  if (faults.length > 0) {
    return {
      tree: emptyMap(),
      problems: faults.map(({ code, pos }) => problemAt(at(pos[0]), [], complaintOf(code))),
    }
  }
  const reader: Reader = { document, at, problems: [], nodes: 0 }
  const root = document.contents === null ? undefined : readNode(reader, document.contents, [], at(0))
  const tree = root === undefined || (root.kind === 'scalar' && root.value === null) ? emptyMap(at(0)) : root
  if (tree.kind === 'map' && reader.problems.length === 0) return { tree, problems: [] }
  if (tree.kind !== 'map') {
    const complaint = { problem: 'The file is not a list of keys.', fix: 'Start with a key such as `server:`.' }
    reader.problems.push(problemAt(tree.at, [], complaint))
  }
  return { tree: emptyMap(), problems: reader.problems }
}

interface Reader {
  readonly document: Document.Parsed
  readonly at: (offset: number) => Place
  readonly problems: Problem[]
  nodes: number
}

/** `keyAt` is the place of a value that has none of its own: that of its key. */
function readNode(reader: Reader, node: unknown, path: KeyPath, keyAt: Place): Written {
  reader.nodes += 1
  if (reader.nodes > maxNodes || path.length > maxDepth) {
    if (reader.nodes !== Number.POSITIVE_INFINITY) {
      reader.problems.push(
        problemAt(keyAt, path, {
          problem: 'The file stands for too many values or nests too deeply.',
          fix: 'Write the values out instead of nesting aliases (*name).',
        }),
      )
    }
    reader.nodes = Number.POSITIVE_INFINITY
    return nothing(keyAt)
  }
  if (isAlias(node)) {
    const target = node.resolve(reader.document)
    if (target) return readNode(reader, target, path, keyAt)
    reader.problems.push(problemAt(placeOf(reader, node, keyAt), path, complaintOf('BAD_ALIAS')))
  }
  if (isMap(node)) return readMap(reader, node, path, keyAt)
  if (isSeq(node)) {
    const items = node.items.map((item, index) =>
      readNode(reader, item, [...path, index], placeOf(reader, item, keyAt)),
    )
    return { kind: 'list', at: keyAt, items }
  }
  if (!isScalar(node)) return nothing(keyAt)
  const value = scalarOf(node.value)
  return { kind: 'scalar', at: value === null ? keyAt : placeOf(reader, node, keyAt), value, source: node.source ?? '' }
}

function readMap(reader: Reader, node: YAMLMap, path: KeyPath, keyAt: Place): WrittenMap {
  const entries = new Map<string, WrittenEntry>()
  for (const { key, value } of node.items) {
    const place = placeOf(reader, key, keyAt)
    if (!isScalar(key) || key.value === null) {
      const complaint = { problem: 'A key here is no text.', fix: 'Write `name: value`.' }
      reader.problems.push(problemAt(place, path, complaint))
      continue
    }
    const name = typeof key.value === 'string' ? key.value : (key.source ?? String(key.value))
    const first = entries.get(name)
    if (first) {
      const line = first.keyAt.from === 'file' ? first.keyAt.line : 0
      const complaint = { problem: `The key is already on line ${line}.`, fix: 'Keep one of the two.' }
      reader.problems.push(problemAt(place, [...path, name], complaint))
      continue
    }
    entries.set(name, { keyAt: place, value: readNode(reader, value, [...path, name], place) })
  }
  return { kind: 'map', at: keyAt, entries }
}

const nothing = (at: Place): Written => ({ kind: 'scalar', at, value: null, source: '' })

function placeOf(reader: Reader, node: unknown, otherwise: Place): Place {
  const range = isNode(node) ? node.range : undefined
  return range ? reader.at(range[0]) : otherwise
}

const isNode = (node: unknown): node is Node => isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)

function scalarOf(value: unknown): Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null
}

/** The reader's codes in words; its own words quote the file. */
function complaintOf(code: string): Complaint {
  switch (code) {
    case 'TAB_AS_INDENT':
      return { problem: 'A tab is used to indent.', fix: 'Indent with spaces.' }
    case 'MULTIPLE_DOCS':
      return { problem: 'A second document starts here (---).', fix: 'Keep one document in the file.' }
    case 'TAG_RESOLVE_FAILED':
      return { problem: 'A tag such as !name is not known here.', fix: 'Write the value without a tag.' }
    case 'BAD_ALIAS':
      return { problem: 'An alias (*name) has no anchor (&name) before it.', fix: 'Add the anchor or quote the text.' }
    case 'BAD_INDENT':
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return {
        problem: 'The indentation does not fit, or a bracket is still open.',
        fix: 'Align the key with its neighbours; check the colon.',
      }
    case 'MISSING_CHAR':
      return {
        problem: 'A quote, bracket, comma or colon is missing.',
        fix: 'Close what was opened before this place.',
      }
    default:
      return {
        problem: `This is not valid YAML (${code}).`,
        fix: 'Check the line; quote text with special characters.',
      }
  }
}
