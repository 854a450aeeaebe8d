import type { Socket } from 'node:net'

/** Ends the connection by RST; where our FIN is out already there is nothing left to reset, and it is closed. */
export function resetSocket(socket: Socket): void {
  // libuv refuses to reset a socket whose shutdown is under way, and Node then never closes its handle: the process
  // would spin for ever when it exits (seen with Node 26.10).
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
