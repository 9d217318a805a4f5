import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls'
import { type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { deferred, raceAbort } from '@ha/core/driver'

const protocolHeader = Buffer.from('AMQP\0\0\x09\x01', 'latin1')

/** What one who hears the broker may do. */
export interface Talk<T> {
  readonly say: (bytes: Buffer) => void
  readonly end: (result: T) => void
}

/**
 * Says the protocol header to a broker on a socket of its own, without the driver, and lets `onData` go on from there.
 * Leaves nothing open.
 */
export async function converse<T>(
  { host, port }: Endpoint,
  tls: TlsOptions | undefined,
  onData: (data: Buffer, talk: Talk<T>) => void,
  signal: AbortSignal,
): Promise<T> {
  const socket: Socket =
    tls === undefined ? connectPlain({ host, port }) : connectTls({ ...serverName(host), ...tls, host, port })
  const answered = deferred<T>()
  const talk: Talk<T> = { say: (bytes) => socket.write(bytes), end: answered.resolve }
  socket.once(tls === undefined ? 'connect' : 'secureConnect', () => socket.write(protocolHeader))
  socket.on('data', (data) => {
    try {
      onData(data, talk)
    } catch (error) {
      answered.reject(error)
    }
  })
  socket.once('close', () =>
    answered.reject(new HaError('lost', `${formatEndpoint({ host, port })} hung up`)),
  )
  socket.on('error', answered.reject)
  try {
    return await raceAbort(answered.promise, signal, () => undefined)
  } finally {
    socket.destroy()
  }
}

// As the driver does: what tells its servers apart by the name that a client asks for hangs up on who asks for none.
function serverName(host: string): { readonly servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {}
}
