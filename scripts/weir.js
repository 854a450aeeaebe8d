#!/usr/bin/env node
// The `weir` command. It may be started by an old Node, so it is plain JavaScript: it finds a Node that runs
// TypeScript as it is (>=24.17) and hands over to src/cli.ts.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

function findNode() {
  if (major > 24 || (major === 24 && minor >= 17)) return process.execPath
  const bundled = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node')
  if (!existsSync(bundled)) spawnSync(process.execPath, [join(root, 'scripts', 'install.js')], { stdio: 'inherit' })
  if (existsSync(bundled)) return bundled
  process.stderr.write(`weir: needs Node 24.17 or newer, this is ${process.versions.node}\n`)
  process.exit(1)
}

const child = spawn(findNode(), [join(root, 'src', 'cli.ts'), ...process.argv.slice(2)], { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
