import { ByteCursor, MalformedMessage } from '../../server/byte-cursor.ts'

/** Reads a record from front to back and never beyond its end. All numbers are signed and big-endian. */
export class JuteReader extends ByteCursor {
  int(): number {
    return this.source.readInt32BE(this.take(4))
  }

  long(): bigint {
    return this.source.readBigInt64BE(this.take(8))
  }

  flag(): boolean {
    return this.source.readUInt8(this.take(1)) !== 0
  }

  /** Bytes after their length; a length of -1 stands for null. */
  buffer(): Buffer | null {
    const length = this.#length()
    return length === undefined ? null : this.bytes(length)
  }

  /** Text behind its length; none is read as empty. */
  text(): string {
    return this.buffer()?.toString('utf8') ?? ''
  }

  /** Items behind their count; none is read as empty. */
  list<T>(readItem: () => T): readonly T[] {
    const count = this.#length() ?? 0
    // An item takes at least a byte: a larger count is rejected before anything is allocated.
    if (count > this.left) throw new MalformedMessage(`${count} items in ${this.left} bytes`)
    return Array.from({ length: count }, readItem)
  }

  #length(): number | undefined {
    const length = this.int()
    if (length < -1) throw new MalformedMessage(`a length cannot be ${length}`)
    return length === -1 ? undefined : length
  }
}

/** Writes numbers, text and lists one behind the other. All numbers are signed and big-endian. */
export class JuteWriter {
  readonly #parts: Uint8Array[] = []

  int(value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value | 0)
    return this.raw(bytes)
  }

  long(value: bigint): this {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(BigInt.asIntN(64, value))
    return this.raw(bytes)
  }

  flag(value: boolean): this {
    return this.raw(Uint8Array.of(value ? 1 : 0))
  }

  /** Bytes behind their length; null is a length of -1. */
  buffer(value: Uint8Array | null): this {
    return value === null ? this.int(-1) : this.int(value.length).raw(value)
  }

  text(value: string): this {
    return this.buffer(Buffer.from(value, 'utf8'))
  }

  /** Items behind their count. */
  list<T>(items: readonly T[], writeItem: (item: T) => void): this {
    this.int(items.length)
    for (const item of items) writeItem(item)
    return this
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes)
    return this
  }

  take(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** An identity of a client, or the subject of an entry of an ACL. */
export interface Identity {
  readonly scheme: string
  readonly id: string
}

/** One entry of an ACL. */
export interface AclEntry extends Identity {
  /** The allowed permissions, as a sum of bits. */
  readonly permissions: number
}

/** The permissions, as bits. */
export const permission = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const

export function readAcl(reader: JuteReader): readonly AclEntry[] {
  return reader.list(() => ({ permissions: reader.int(), scheme: reader.text(), id: reader.text() }))
}

export function writeAcl(writer: JuteWriter, acl: readonly AclEntry[]): JuteWriter {
  return writer.list(acl, ({ permissions, scheme, id }) => writer.int(permissions).text(scheme).text(id))
}

/** The stat of a node. */
export interface Stat {
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly ctimeMs: number
  readonly mtimeMs: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: bigint
  readonly dataLength: number
  readonly numChildren: number
  readonly pzxid: bigint
}

export function writeStat(writer: JuteWriter, stat: Stat): JuteWriter {
  return writer
    .long(stat.czxid)
    .long(stat.mzxid)
    .long(BigInt(stat.ctimeMs))
    .long(BigInt(stat.mtimeMs))
    .int(stat.version)
    .int(stat.cversion)
    .int(stat.aversion)
    .long(stat.ephemeralOwner)
    .int(stat.dataLength)
    .int(stat.numChildren)
    .long(stat.pzxid)
}
