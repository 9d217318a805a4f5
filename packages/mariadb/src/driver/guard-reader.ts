import type { Socket } from 'node:net'
import { asError } from '@ha/core/driver'

/**
 * Hands over what the driver throws over what it reads, which would end the process: a malformed packet, or an error
 * packet in one segment with the end of the login, before anybody can listen for the driver's errors. To be called
 * when the driver has just been given the socket; under TLS it reads another one.
 */
export function guardReader(socket: Socket, onThrow: (error: Error) => void): void {
  const readers = socket.listeners('data') as ((data: Buffer) => void)[]
  socket.removeAllListeners('data')
  socket.on('data', (data) => {
    try {
      for (const read of readers) read(data)
    } catch (thrown) {
      onThrow(asError(thrown))
    }
  })
}
