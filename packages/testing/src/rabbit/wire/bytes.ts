import { ByteCursor, MalformedMessage } from '../../server/byte-cursor.ts'

/** Reads a buffer from front to back and never beyond its end. */
export class AmqpReader extends ByteCursor {
  octet(): number {
    return this.source.readUInt8(this.take(1))
  }

  short(): number {
    return this.source.readUInt16BE(this.take(2))
  }

  long(): number {
    return this.source.readUInt32BE(this.take(4))
  }

  /** An unsigned 64-bit number; one that a double cannot hold is malformed, no peer counts that far. */
  longlong(): number {
    const high = this.long()
    const value = high * 0x1_0000_0000 + this.long()
    if (!Number.isSafeInteger(value)) throw new MalformedMessage(`a number beyond 2^53: ${value}`)
    return value
  }

  shortstr(): string {
    return this.text(this.octet())
  }

  longstr(): string {
    return this.text(this.long())
  }

  text(length: number): string {
    const start = this.take(length)
    return this.source.toString('utf8', start, start + length)
  }
}

// Longer than nearly every method, so that growing is rare.
const initialBytes = 256

/** Writes numbers and strings one behind the other into a buffer that grows. */
export class AmqpWriter {
  #bytes = Buffer.allocUnsafe(initialBytes)
  #length = 0

  get length(): number {
    return this.#length
  }

  octet(value: number): void {
    const at = this.#room(1)
    this.#bytes.writeUInt8(value, at)
  }

  short(value: number): void {
    const at = this.#room(2)
    this.#bytes.writeUInt16BE(value, at)
  }

  long(value: number): void {
    const at = this.#room(4)
    this.#bytes.writeUInt32BE(value, at)
  }

  longlong(value: number): void {
    this.long(Math.floor(value / 0x1_0000_0000))
    this.long(value % 0x1_0000_0000)
  }

  shortstr(text: string): void {
    const bytes = Buffer.from(text, 'utf8')
    this.octet(bytes.length)
    this.raw(bytes)
  }

  longstr(text: string): void {
    const bytes = Buffer.from(text, 'utf8')
    this.long(bytes.length)
    this.raw(bytes)
  }

  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length)
    this.#bytes.set(bytes, at)
  }

  /** Writes what `body` writes with its length in front. */
  sized(body: () => void): void {
    const at = this.#room(4)
    body()
    this.#bytes.writeUInt32BE(this.#length - at - 4, at)
  }

  /** What was written, without copying: the writer is not used after this. */
  take(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  // Growing replaces the buffer: ask for room first, name the buffer after.
  #room(length: number): number {
    const at = this.#length
    this.#length += length
    if (this.#length > this.#bytes.length) this.#grow()
    return at
  }

  #grow(): void {
    const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2))
    this.#bytes.copy(larger)
    this.#bytes = larger
  }
}

/** Bytes as Erlang prints them, as in RabbitMQ's reply texts. */
export function binary(bytes: Buffer): string {
  // An AMQP reply text has 255 octets at most.
  const shown = bytes.subarray(0, 32)
  const isText = shown.length > 0 && shown.every((octet) => octet >= 0x20 && octet < 0x7f)
  return isText ? `<<"${shown.toString('latin1')}">>` : `<<${[...shown].join(',')}>>`
}
