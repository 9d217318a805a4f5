import { Duplex } from 'node:stream'
import type { Socketlike } from './socketlike.ts'

/** Both ends of a connection that never leaves this process. */
export interface MemorySockets {
  /** The client's end: as good as a connected socket, without a timer and without an address. */
  readonly client: Duplex
  readonly server: Socketlike
}

/** Connects two ends. What one writes waits for the other to read it, however much it is, as in a large buffer. */
export function memorySockets(): MemorySockets {
  const client: Duplex = end(() => server)
  const server: Duplex = end(() => client)
  const reset = (): void => {
    client.destroy(connectionReset())
    server.destroy()
  }
  return {
    client,
    // What is written is heard in the same turn, and the client does all that follows from it before the next one.
    server: { stream: server, reset, resetBehind: () => void setImmediate(reset) },
  }
}

/** Why nobody accepts a connection to an address such as `127.0.0.1:40001`. */
export function connectionRefused(address: string): Error {
  const error = new Error(`connect ECONNREFUSED ${address}`)
  return Object.assign(error, { code: 'ECONNREFUSED', errno: -111, syscall: 'connect' })
}

function end(other: () => Duplex): Duplex {
  let isOver = false
  const finish = (): void => {
    if (isOver) return
    isOver = true
    if (!other().destroyed) other().push(null)
  }
  return new Duplex({
    allowHalfOpen: false,
    read: () => undefined,
    write: (bytes: Buffer, _encoding, done) => {
      if (!other().destroyed && bytes.length > 0) other().push(bytes)
      done()
    },
    final: (done) => {
      finish()
      done()
    },
    destroy: (error, done) => {
      finish()
      done(error)
    },
  })
}

function connectionReset(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', errno: -104, syscall: 'read' })
}
