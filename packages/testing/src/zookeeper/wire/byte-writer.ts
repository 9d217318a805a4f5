/** Writes numbers, text and lists one behind the other. All numbers are signed and big-endian. */
export class ByteWriter {
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
