import { Duplex } from 'node:stream'
import { connectionRefused } from '../../server/sockets.ts'

/** The client's end of a connection that nobody accepts. */
export function refusedSocket(address: string): Duplex {
  const stream = new Duplex({ read: () => undefined })
  const error = connectionRefused(address)
  setImmediate(() => stream.destroy(error))
  return stream
}
