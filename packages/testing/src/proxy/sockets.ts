import type { Socket } from 'node:net'

/** Closes a socket as the kernel does for a process that died, or resets it. */
export function endSocket(socket: Socket, how: 'close' | 'reset'): void {
  if (how === 'close') closeSocket(socket)
  else resetSocket(socket)
}

/** Sends an RST. A socket that is still connecting is destroyed. */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return
  if (socket.connecting) socket.destroy()
  else socket.resetAndDestroy()
}

// What was written is delivered, then FIN.
function closeSocket(socket: Socket): void {
  if (socket.connecting) socket.destroy()
  else socket.destroySoon()
}

/** Resolves when the handle of the socket is closed. */
export function socketClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}

/**
 * Calls `fn` once the event loop has polled: by then a receiver in this process has read what it was sent. One turn
 * is not enough, the next immediates may run before the next poll.
 */
export function afterPoll(fn: () => void): void {
  setImmediate(() => setImmediate(fn))
}
