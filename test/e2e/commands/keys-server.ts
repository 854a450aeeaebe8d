/** A server of its own process for keys.test.ts: holds the embedded database and takes commands until it is stopped. */
import fastify from 'fastify'
import control from '../../../plugins/control.ts'
import { registerAuth } from '../../support/auth-app.ts'
import { configOf } from '../../support/config.ts'

const config = configOf({ WEIR_DATA_DIR: process.argv[2] ?? '' })
const app = fastify()
await registerAuth(app, config)
await app.register(control, { config })
app.get('/', { onRequest: app.authenticate }, async request => ({ keyId: request.principal?.keyId }))
process.once('SIGTERM', () => void app.close())
process.stdout.write(`${await app.listen({ port: 0, host: '127.0.0.1' })}\n`)
