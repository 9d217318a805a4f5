import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'

/** Hears a socket line by line; nothing that it fails with ends the process. */
export function hearLines(socket: Socket, hear: (line: string) => void): void {
  socket.on('error', () => undefined)
  const lines = createInterface({ input: socket })
  // It passes on what the socket fails with.
  lines.on('error', () => undefined)
  lines.on('line', hear)
}
