/** The `weir` command: `weir <command> …`, or `weir start`, which is the server. */
import { accountsCommand } from './commands/accounts.ts'
import { checkConfigCommand } from './commands/check-config.ts'
import type { Command } from './commands/command.ts'
import { keysCommand } from './commands/keys.ts'
import { ledgerCommand } from './commands/ledger.ts'
import { migrateCommand } from './commands/migrate.ts'
import { environment } from './config.ts'

// Whoever reads has seen enough, as `| head` has: a command goes on to its end all the same and closes what it has opened.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', error => {
    if (!('code' in error && error.code === 'EPIPE')) throw error
  })
}

const commands: readonly Command[] = [checkConfigCommand, accountsCommand, keysCommand, ledgerCommand, migrateCommand]

const [name, ...argv] = process.argv.slice(2)
const command = commands.find(known => known.name === name)

if (command !== undefined) {
  process.exitCode = await command.run(argv, { stdout: process.stdout, stderr: process.stderr, env: environment })
} else if (name === 'start') {
  process.argv.splice(2, 1)
  await import('./server.ts')
} else {
  const lines = [...commands, { name: 'start', summary: 'run the server' }].map(
    known => `  ${known.name.padEnd(14)} ${known.summary}`,
  )
  const asked = name === undefined || name === 'help' || name === '--help' || name === '-h'
  const out = asked ? process.stdout : process.stderr
  if (!asked) out.write(`weir: there is no command '${name}'\n`)
  out.write(`Usage: weir <command> [options]\n\n${lines.join('\n')}\n\n"weir <command> --help" shows its options.\n`)
  process.exitCode = asked ? 0 : 2
}
