/** Where a command writes to. `isTTY` tells a person at a terminal from a program that reads. */
export interface CommandStream {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

export interface CommandIo {
  readonly stdout: CommandStream
  readonly stderr: CommandStream
  readonly env: NodeJS.ProcessEnv
}

/** One `weir <name>`. */
export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** `argv` is what follows the name. Resolves to the exit code: 0 done, 1 not done. Does not reject for bad input. */
  run(argv: readonly string[], io: CommandIo): Promise<number>
}
