import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { connectSocket, deferred, type ProbeAnswer, raceAbort } from '@ha/core/driver'

/** The first bytes of a client. A broker answers with connection.start. */
export const protocolHeader: Buffer = Buffer.from('AMQP\0\0\x09\x01', 'latin1')

export interface Login {
  readonly username: string
  readonly password: string
  readonly vhost: string
  readonly tls: TlsOptions | undefined
  readonly mechanism: 'PLAIN' | 'EXTERNAL'
}

/** Reply code and text of connection.close. */
export interface CloseReason {
  readonly code: number
  readonly text: string
}

interface Conversation {
  readonly send: (bytes: Buffer) => void
  readonly finish: (result: CloseReason | undefined) => void
}

/**
 * Opens a virtual host that the broker has just refused once more, without the driver: amqplib does not report the reply
 * code, and a virtual host that is still starting must be distinguished from one that does not exist. Undefined when the broker
 * accepts the connection now. No connection stays open.
 */
export async function queryCloseReason(
  login: Login,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<CloseReason | undefined> {
  const socket = await connectSocket(endpoint, login.tls, signal)
  const answer = deferred<CloseReason | undefined>()
  const conversation = { send: (bytes: Buffer) => socket.write(bytes), finish: answer.resolve }
  let unread: Buffer = Buffer.alloc(0)
  socket.on('data', (data) => {
    try {
      unread = replyToAll(Buffer.concat([unread, data]), login, conversation)
    } catch (error) {
      answer.reject(error)
    }
  })
  socket.once('close', () => answer.reject(new HaError('lost', `${formatEndpoint(endpoint)} hung up`)))
  socket.on('error', answer.reject)
  socket.write(protocolHeader)
  try {
    return await raceAbort(answer.promise, signal, () => undefined)
  } finally {
    socket.destroy()
  }
}

// Replies to every complete frame and returns the rest.
function replyToAll(bytes: Buffer, login: Login, conversation: Conversation): Buffer {
  let unread = bytes
  for (let frame = firstFrame(unread); frame !== undefined; frame = firstFrame(unread)) {
    unread = unread.subarray(frame.length + frameOverhead)
    replyTo(frame, login, conversation)
  }
  return unread
}

/**
 * Compares the broker that sent this connection.start with the one that sent these server properties. The nodes of a
 * cluster send the same ones, unless an operator added the name of the node as `node` (`server_properties`).
 */
export function compareServers(answer: Buffer, properties: Readonly<Record<string, unknown>>): ProbeAnswer {
  const frame = firstFrame(answer)
  if (frame === undefined) return 'unidentified'
  const texts = Object.entries(properties).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
  const isSame = texts.every(([name, text]) =>
    frame.includes(Buffer.concat([shortText(name), Buffer.from('S'), longText(text)])),
  )
  if (!isSame) return 'another-server'
  return typeof properties['node'] === 'string' ? 'same-server' : 'unidentified'
}

// A frame has its type, channel and size before the payload, and an end mark after it.
const headerBytes = 7
const frameOverhead = headerBytes + 1
const endMark = 0xce

// Methods of class 10, `connection`.
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

// Answers one method of the broker like a client does, up to the broker's decision on the virtual host.
function replyTo(payload: Buffer, login: Login, { send, finish }: Conversation): void {
  if (payload.length < 4) return
  const args = payload.subarray(4)
  switch (payload.readUInt16BE(2)) {
    case start: {
      // The certificate says who the client is.
      const response = login.mechanism === 'EXTERNAL' ? '' : `\0${login.username}\0${login.password}`
      send(method(startOk, long(0), shortText(login.mechanism), longText(response), shortText('en_US')))
      return
    }
    case tune:
      send(method(tuneOk, args))
      send(method(open, shortText(login.vhost), shortText(''), Buffer.of(0)))
      return
    case openOk:
      finish(undefined)
      return
    case close:
      finish({ code: args.readUInt16BE(0), text: args.subarray(3, 3 + args.readUInt8(2)).toString() })
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
