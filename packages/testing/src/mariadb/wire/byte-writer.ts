/** Writes numbers and strings one behind the other. All numbers are little-endian. */
export class ByteWriter {
  readonly #parts: Uint8Array[] = []

  octet(value: number): this {
    return this.raw(Uint8Array.of(value & 0xff))
  }

  short(value: number): this {
    return this.octet(value).octet(value >>> 8)
  }

  medium(value: number): this {
    return this.short(value).octet(value >>> 16)
  }

  long(value: number): this {
    return this.short(value).short(value >>> 16)
  }

  longlong(value: bigint): this {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value))
    return this.raw(bytes)
  }

  double(value: number): this {
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleLE(value)
    return this.raw(bytes)
  }

  /** A number that says itself how long it is. */
  length(value: number | bigint): this {
    if (value < 0xfb) return this.octet(Number(value))
    if (value <= 0xffff) return this.octet(0xfc).short(Number(value))
    if (value <= 0xff_ffff) return this.octet(0xfd).medium(Number(value))
    return this.octet(0xfe).longlong(BigInt(value))
  }

  text(text: string): this {
    return this.raw(Buffer.from(text, 'utf8'))
  }

  nullText(text: string): this {
    return this.text(text).octet(0)
  }

  /** Bytes or text behind their length. */
  sized(value: Uint8Array | string): this {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
    return this.length(bytes.length).raw(bytes)
  }

  zeros(count: number): this {
    return this.raw(new Uint8Array(count))
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes)
    return this
  }

  take(): Buffer {
    return Buffer.concat(this.#parts)
  }
}
