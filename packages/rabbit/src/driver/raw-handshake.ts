import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls'
import { type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { deferred, raceAbort } from '@ha/core/driver'

const protocolHeader = Buffer.from('AMQP\0\0\x09\x01', 'latin1')

/** What one who hears the broker may do. */
interface RawHandshake<T> {
  readonly send: (bytes: Buffer) => void
  readonly finish: (result: T) => void
}

/**
 * Says the protocol header to a broker on a socket of its own, without the driver, and lets `onData` go on from there.
 * Leaves nothing open.
 */
export async function rawHandshake<T>(
  { host, port }: Endpoint,
  tls: TlsOptions | undefined,
  onData: (data: Buffer, talk: RawHandshake<T>) => void,
  signal: AbortSignal,
): Promise<T> {
  const socket: Socket =
    tls === undefined ? connectPlain({ host, port }) : connectTls({ ...serverName(host), ...tls, host, port })
  const answered = deferred<T>()
  const talk: RawHandshake<T> = { send: (bytes) => socket.write(bytes), finish: answered.resolve }
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

export interface Login {
  readonly username: string
  readonly password: string
  readonly vhost: string
  readonly tls: TlsOptions | undefined
}

/** How the broker refused a virtual host. */
export interface CloseReason {
  readonly code: number
  readonly text: string
}

/**
 * Asks a broker once more for the virtual host that it has just refused: the driver does not say with which code, and
 * one that is still starting is another matter than one that does not exist. Undefined when it is let in now.
 */
export function queryCloseReason(
  login: Login,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<CloseReason | undefined> {
  let unread: Buffer = Buffer.alloc(0)
  const onData = (data: Buffer, talk: RawHandshake<CloseReason | undefined>): void => {
    unread = Buffer.concat([unread, data])
    for (let frame = firstFrame(unread); frame !== undefined; frame = firstFrame(unread)) {
      unread = unread.subarray(frame.length + frameOverhead)
      replyTo(frame, login, talk)
    }
  }
  return rawHandshake(endpoint, login.tls, onData, signal)
}

// Type, channel and size before the payload, and the end mark after it.
const headerBytes = 7
const frameOverhead = headerBytes + 1
const endMark = 0xce

// The methods of class 10, `connection`.
const start = 10
const startOk = 11
const tune = 30
const tuneOk = 31
const open = 40
const openOk = 41
const close = 50

function firstFrame(bytes: Buffer): Buffer | undefined {
  if (bytes.length < headerBytes) return undefined
  const size = bytes.readUInt32BE(3)
  return bytes.length < size + frameOverhead ? undefined : bytes.subarray(headerBytes, headerBytes + size)
}

function replyTo(
  payload: Buffer,
  login: Login,
  { send: say, finish: end }: RawHandshake<CloseReason | undefined>,
): void {
  if (payload.length < 4) return
  const args = payload.subarray(4)
  switch (payload.readUInt16BE(2)) {
    case start: {
      const response = `\0${login.username}\0${login.password}`
      say(method(startOk, long(0), shortText('PLAIN'), longText(response), shortText('en_US')))
      return
    }
    case tune:
      say(method(tuneOk, args))
      say(method(open, shortText(login.vhost), shortText(''), Buffer.of(0)))
      return
    case openOk:
      end(undefined)
      return
    case close:
      end({ code: args.readUInt16BE(0), text: args.subarray(3, 3 + args.readUInt8(2)).toString() })
      return
    default:
  }
}

function method(id: number, ...args: readonly Buffer[]): Buffer {
  const payload = Buffer.concat([Buffer.of(0, 10, 0, id), ...args])
  return Buffer.concat([Buffer.of(1, 0, 0), long(payload.length), payload, Buffer.of(endMark)])
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function longText(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([long(bytes.length), bytes])
}

function shortText(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}
