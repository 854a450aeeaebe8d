#!/usr/bin/env node
// The `weir` command. It may be started by an old Node, so it is plain JavaScript: where this Node cannot run TypeScript
// as it is (>=24.17) it hands over to the one in node_modules.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const cli = join(root, 'src', 'cli.ts')
const bundledNode = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node')
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const isRecent = major > 24 || (major === 24 && minor >= 17)

// The kernel takes a signal away from the first process of a container where nobody waits for it: a stop would be lost as long
// as the server loads, and a command could not be stopped at all. Whoever waits for it later, as the server, does by itself.
if (process.pid === 1) {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => process.listenerCount(signal) === 1 && process.exit(128 + constants.signals[signal]))
  }
}

// On a bare clone the command works too. What is installed and matches is left alone, and stdout is the command's.
if (!existsSync(join(root, 'node_modules')) || !(isRecent || existsSync(bundledNode))) {
  const install = spawnSync(process.execPath, [join(root, 'scripts', 'install.js')], { stdio: ['ignore', 2, 2] })
  if (install.status !== 0) process.exit(install.status ?? 1)
}
if (isRecent) {
  process.argv[1] = cli
  await import(new URL('../src/cli.ts', import.meta.url).href)
} else if (existsSync(bundledNode)) {
  handOver()
} else {
  process.stderr.write(`weir: needs Node 24.17 or newer, this is ${process.versions.node}\n`)
  process.exit(1)
}

function handOver() {
  const shell = process.platform === 'win32'
  const child = spawn(bundledNode, [cli, ...process.argv.slice(2)], { stdio: 'inherit', shell })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]))
}
