import { buildBodyApp } from './body-app.ts'

/** The body plugin in a process of its own, so that its memory can be told from the test's. */
const app = await buildBodyApp()
const url = await app.listen({ host: '127.0.0.1', port: 0 })
const report = () => process.send?.({ url, maxRssKb: process.resourceUsage().maxRSS })
process.on('message', report)
process.on('disconnect', () => app.close())
report()
