import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Says bytes to a broker and reads its methods, with an encoder of its own: it can also say what no client would. */
export class RawClient {
  readonly #socket: Socket
  /** Resolves when the connection has ended, however it did. */
  readonly closed: Promise<void>
  #heard = Buffer.alloc(0)

  constructor(socket: Socket) {
    this.#socket = socket
    this.closed = new Promise((resolve) => {
      socket.on('close', () => resolve())
    })
    socket.on('data', (bytes) => {
      this.#heard = Buffer.concat([this.#heard, bytes])
    })
    socket.on('error', () => undefined)
  }

  /** Everything that the broker said. */
  get heard(): Buffer {
    return this.#heard
  }

  get socket(): Socket {
    return this.#socket
  }

  say(...bytes: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(bytes))
  }

  /** The next method that the broker says, as `class.method` and its fields as bytes. */
  async next(): Promise<{ readonly id: string; readonly fields: Buffer }> {
    for (;;) {
      const payload = this.#nextPayload()
      if (payload !== undefined)
        return { id: `${payload.readUInt16BE(0)}.${payload.readUInt16BE(2)}`, fields: payload.subarray(4) }
      await once(this.#socket, 'data', { signal: AbortSignal.timeout(2_000) })
    }
  }

  /** Skips to the next close of a channel or the connection and says what it says: `504 60.40 CHANNEL_ERROR - …`. */
  async refusal(): Promise<string> {
    for (;;) {
      const { id, fields } = await this.next()
      if (id !== '10.50' && id !== '20.40') continue
      const scope = id === '10.50' ? 'connection' : 'channel'
      const textEnd = 3 + fields.readUInt8(2)
      const blamed = `${fields.readUInt16BE(textEnd)}.${fields.readUInt16BE(textEnd + 2)}`
      return `${scope} ${fields.readUInt16BE(0)} for ${blamed}: ${fields.toString('utf8', 3, textEnd)}`
    }
  }

  #nextPayload(): Buffer | undefined {
    if (this.#heard.length < 7) return undefined
    const end = 7 + this.#heard.readUInt32BE(3)
    if (this.#heard.length < end + 1) return undefined
    const payload = this.#heard.subarray(7, end)
    this.#heard = this.#heard.subarray(end + 1)
    return payload
  }
}

/** Connects to a broker without saying anything. */
export async function rawClient(url: string): Promise<RawClient> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  await once(socket, 'connect')
  return new RawClient(socket)
}

/** Connects and opens the connection as guest, with channels up to `channelMax` and frames of 4096 bytes. */
export async function openRawClient(url: string, channelMax = 10): Promise<RawClient> {
  const client = await rawClient(url)
  client.say(greeting)
  await client.next()
  client.say(startOk('\0guest\0guest'))
  await client.next()
  client.say(tuneOk(channelMax, 4096, 0), open('/'))
  await client.next()
  return client
}

/** What a client says first. */
export const greeting: Buffer = Buffer.from('AMQP\0\0\x09\x01', 'latin1')

export function frame(type: number, channel: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.of(type), short(channel), long(payload.length), payload, Buffer.of(0xce)])
}

export function method(
  channel: number,
  classId: number,
  methodId: number,
  ...fields: readonly Buffer[]
): Buffer {
  return frame(1, channel, Buffer.concat([short(classId), short(methodId), ...fields]))
}

export function startOk(response: string, mechanism = 'PLAIN'): Buffer {
  const hearsFailure = Buffer.concat([text('authentication_failure_close'), Buffer.from('t\x01', 'latin1')])
  const capabilities = Buffer.concat([text('capabilities'), Buffer.from('F'), sized(hearsFailure)])
  return method(0, 10, 11, sized(capabilities), text(mechanism), sized(Buffer.from(response)), text('en_US'))
}

export function tuneOk(channelMax: number, frameMax: number, heartbeat: number): Buffer {
  return method(0, 10, 31, short(channelMax), long(frameMax), short(heartbeat))
}

export function open(vhost: string): Buffer {
  return method(0, 10, 40, text(vhost), text(''), Buffer.of(0))
}

export function openChannel(channel: number): Buffer {
  return method(channel, 20, 10, text(''))
}

/** A publish to an exchange, without its content; `bits` 1 is mandatory, 2 immediate. */
export function publish(exchange: string, bits = 0): Buffer {
  return method(1, 60, 40, short(0), text(exchange), text('k'), Buffer.of(bits))
}

export function contentHeader(bodyBytes: number, classId = 60): Buffer {
  return frame(2, 1, Buffer.concat([short(classId), short(0), long(0), long(bodyBytes), short(0)]))
}

export function short(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function long(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(Buffer.byteLength(value)), Buffer.from(value)])
}

export function sized(bytes: Buffer): Buffer {
  return Buffer.concat([long(bytes.length), bytes])
}
