import { test } from 'node:test'
import Fastify from 'fastify'
import metrics from '../../plugins/metrics.ts'
import { eventually } from '../support/eventually.ts'

test('a machine that learns late what day it is goes on at once', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 0 })
  const app = Fastify()
  t.after(() => app.close())
  await app.register(metrics, { version: '1.0.0' })
  const count = async () => {
    const text = await app.metrics.client.register.metrics()
    return Number(/^nodejs_eventloop_utilization_summary_count (\d+)/m.exec(text)?.[1])
  }
  t.mock.timers.setTime(Date.UTC(2026, 10, 29))
  await eventually('the loop is looked at', async () => (await count()) > 0)
})
