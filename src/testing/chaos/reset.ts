/* eslint-disable no-restricted-imports -- this adapter is the edge: it ends a socket */
import type { Socket } from 'node:net'

/**
 * Ends a connection by RST. Node's `resetAndDestroy` fails while an end (FIN) is on its way out, and then leaves the
 * socket open for good: the end is waited for, which takes one turn of the event loop.
 */
export function reset(socket: Socket): void {
  const isEnding = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  if (!isEnding || socket.destroyed) {
    socket.resetAndDestroy()
    return
  }
  socket.once('finish', () => {
    socket.resetAndDestroy()
  })
}
