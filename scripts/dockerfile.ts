/** A reader of our own Dockerfile: the few instructions that it uses, and an error for any other. */

export interface Copy {
  /** The stage that it is taken from; undefined where that is the folder of the Dockerfile. */
  readonly from: string | undefined
  /** `uid:gid` of what is copied; undefined where it stays root's. */
  readonly owner: string | undefined
  readonly sources: readonly string[]
  /** Absolute. */
  readonly target: string
}

export interface Stage {
  readonly image: string
  readonly name: string | undefined
  readonly copies: readonly Copy[]
  /** Commands for a shell, in order. */
  readonly runs: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly ports: readonly number[]
  readonly volumes: readonly string[]
  readonly workdir: string
  readonly user: string | undefined
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  readonly healthcheck: readonly string[]
}

type Writable = { -readonly [Key in keyof Stage]: Stage[Key] }

/** Throws on what it does not know, such as an instruction or a flag of one. */
export function parseDockerfile(text: string): readonly Stage[] {
  const stages: Writable[] = []
  for (const line of logicalLines(text)) {
    const [, instruction = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
    if (instruction === 'FROM') {
      stages.push(newStage(rest))
      continue
    }
    const stage = stages.at(-1)
    if (stage === undefined) throw new Error(`before the first FROM: ${line}`)
    obey(stage, instruction, rest)
  }
  return stages
}

/** Without comments and empty lines; what ends in a backslash goes on in the next one. */
function logicalLines(text: string): string[] {
  const lines = text.split('\n').filter(line => line.trim() !== '' && !line.startsWith('#'))
  return lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
}

function newStage(rest: string): Writable {
  const [, image = '', name] = /^(?:--platform=\S+ )?(\S+)(?: AS (\S+))?$/.exec(rest) ?? []
  if (image === '') throw new Error(`teach this reader FROM ${rest}`)
  return {
    ...{ image, name, copies: [], runs: [], env: {}, labels: {}, ports: [], volumes: [] },
    ...{ workdir: '/', user: undefined, entrypoint: [], command: [], healthcheck: [] },
  }
}

function obey(stage: Writable, instruction: string, rest: string): void {
  switch (instruction) {
    case 'WORKDIR':
      stage.workdir = rest
      break
    case 'COPY':
      stage.copies = [...stage.copies, readCopy(rest, stage.workdir)]
      break
    case 'RUN':
      stage.runs = [...stage.runs, rest]
      break
    case 'ENV':
      stage.env = { ...stage.env, ...readPairs(rest) }
      break
    case 'LABEL':
      stage.labels = { ...stage.labels, ...readPairs(rest) }
      break
    case 'EXPOSE':
      stage.ports = rest.split(' ').map(Number)
      break
    case 'VOLUME':
      stage.volumes = readList(rest)
      break
    case 'USER':
      stage.user = rest
      break
    case 'ENTRYPOINT':
      stage.entrypoint = readList(rest)
      break
    case 'CMD':
      stage.command = readList(rest)
      break
    case 'HEALTHCHECK':
      stage.healthcheck = readList(rest.replace(/^(--\S+ )*CMD /, ''))
      break
    // Given when it is built, for labels only.
    case 'ARG':
      break
    default:
      throw new Error(`teach this reader ${instruction}`)
  }
}

function readCopy(rest: string, workdir: string): Copy {
  const words = rest.split(' ')
  const flags = words.filter(word => word.startsWith('--'))
  const strange = flags.find(flag => !/^--(from|chown)=/.test(flag))
  if (strange !== undefined) throw new Error(`teach this reader ${strange} of COPY`)
  const flagValue = (name: string) => flags.find(flag => flag.startsWith(`--${name}=`))?.slice(name.length + 3)
  const paths = words.filter(word => !word.startsWith('--'))
  const target = paths.at(-1) ?? ''
  return {
    from: flagValue('from'),
    owner: flagValue('chown'),
    sources: paths.slice(0, -1),
    target: new URL(target, `file://${workdir}/`).pathname,
  }
}

/** `A=b C="d e"`. */
function readPairs(rest: string): Record<string, string> {
  const pairs = [...rest.matchAll(/([\w.]+)=("[^"]*"|\S+)/g)]
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value.replaceAll('"', '')]))
}

/** The form without a shell. Throws on the other. */
function readList(rest: string): readonly string[] {
  const words: unknown = JSON.parse(rest)
  if (!Array.isArray(words) || !words.every(word => typeof word === 'string'))
    throw new Error(`not a list of words: ${rest}`)
  return words
}
