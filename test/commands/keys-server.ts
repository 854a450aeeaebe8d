/** A server of its own process for keys.test.ts: holds the embedded database and takes commands until it is stopped. */
import fastify from 'fastify'
import auth from '../../plugins/auth.ts'
import control from '../../plugins/control.ts'
import postgresPlugin from '../../plugins/postgres.ts'
import { configOf } from '../support/config.ts'

const config = configOf({ WEIR_DATA_DIR: process.argv[2] ?? '' })
const app = fastify()
await app.register(postgresPlugin, { config })
await app.register(auth, { config })
await app.register(control, { config })
app.get('/', { onRequest: app.authenticate }, async request => ({ keyId: request.principal?.keyId }))
process.once('SIGTERM', () => void app.close())
process.stdout.write(`${await app.listen({ port: 0, host: '127.0.0.1' })}\n`)
