import type { Command } from '../../src/commands/command.ts'

type Env = Readonly<Record<string, string>>
type Run = (env: Env, ...argv: readonly string[]) => Promise<{ code: number; stdout: string; stderr: string }>

/** Runs `weir <command> …` and returns what it wrote; `onTerminal` lets it take its stdout for one. */
export function runnerOf(command: Command): Run & { readonly onTerminal: Run } {
  const runner =
    (isTTY: boolean): Run =>
    async (env, ...argv) => {
      let stdout = ''
      let stderr = ''
      const code = await command.run(argv, {
        stdout: { isTTY, write: text => (stdout += text) },
        stderr: { write: text => (stderr += text) },
        env,
      })
      return { code, stdout, stderr }
    }
  return Object.assign(runner(false), { onTerminal: runner(true) })
}
