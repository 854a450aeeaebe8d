/** Loaded into a gateway by `--import`: on SIGWINCH its main thread does nothing else for five seconds. */
process.on('SIGWINCH', () => {
  const untilMs = performance.now() + 5000
  while (performance.now() < untilMs) Math.sqrt(untilMs)
})
