import { deepStrictEqual, match, ok, strictEqual } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { startGateway } from '../../support/gateway-process.ts'
import { buildImageTree, type ImageTree } from '../../support/image-tree.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { adminKey, pepper, sdk, untilReady } from '../process/calls.ts'

/** As Docker would start it: no shell, no PATH, nothing of the machine but the variables that are named. */
function run(tree: ImageTree, words: readonly string[], env: Record<string, string>) {
  const [program = '', ...args] = words.map(word =>
    word === 'node' ? tree.at('/usr/local/bin/node') : inTree(tree, word),
  )
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: tree.at(tree.image.stage.workdir),
    env: { ...tree.env, ...env, PATH: '' },
    encoding: 'utf8',
    timeout: 20_000,
    ...tree.owner,
  })
  return { status, stdout, stderr }
}

const inTree = (tree: ImageTree, word: string) => (word.startsWith('/') ? tree.at(word) : word)

test('O06 what the Dockerfile puts into the image serves, from a tree that its user cannot write to', async t => {
  const tree = buildImageTree(t)
  const { stage } = tree.image
  const env = {
    DATABASE_URL: await createDatabase(t),
    WEIR_ADMIN_KEY: adminKey,
    WEIR_KEY_PEPPER: pepper,
    WEIR_BACKEND_URL: (await startScriptedBackend(t)).url,
  }
  const [node, program = '', ...flags] = [...stage.entrypoint, ...stage.command]
  strictEqual(node, 'node')
  const gateway = await startGateway(t, {
    folder: tree.at(stage.workdir),
    node: tree.at('/usr/local/bin/node'),
    program: tree.at(program),
    flags,
    owner: tree.owner,
    // The ports of the image may be taken on this machine.
    env: {
      ...tree.env,
      ...{ HOST: '127.0.0.1', INTERNAL_HOST: '127.0.0.1', PORT: '0', INTERNAL_PORT: '0', PROBE_PORT: '0' },
      ...{ NODE_COMPILE_CACHE: '', PATH: '', HOME: '/nonexistent' },
      ...env,
    },
  })
  await untilReady(gateway.internalUrl ?? '')
  const { choices } = await sdk(gateway.url, adminKey).chat.completions.create({
    model: 'tinychat',
    messages: [{ role: 'user', content: 'hi' }],
  })
  ok(choices[0]?.message.content)

  const { probeUrl } = gateway.logs().find(({ msg }) => msg === 'listening') ?? {}
  const [, port = ''] = /:(\d+)$/.exec(String(probeUrl)) ?? []
  deepStrictEqual(run(tree, stage.healthcheck, { PROBE_PORT: port }), { status: 0, stdout: '', stderr: '' })
  const checked = run(tree, [...stage.entrypoint, 'check-config'], env)
  strictEqual(checked.status, 0, checked.stderr)
  match(checked.stdout, /server\.probePort +9091 +environment PROBE_PORT/)

  gateway.kill()
  deepStrictEqual(await gateway.exit, { code: 0, signal: null })
  // A warning is left: models of a backend that is found by its URL have no price.
  const troubles = gateway.logs().filter(({ level }) => Number(level) >= 50)
  deepStrictEqual(troubles, [])
  const after = run(tree, stage.healthcheck, { PROBE_PORT: port })
  strictEqual(after.status, 1)
  match(after.stderr, /^not ready: .*ECONNREFUSED/)
})
