/** Loaded into a gateway by `--import`: each of two signals makes an error that nobody catches. */
process.on('SIGWINCH', () => {
  throw new Error('boom')
})
process.on('SIGURG', () => void Promise.reject(new Error('boom')))
