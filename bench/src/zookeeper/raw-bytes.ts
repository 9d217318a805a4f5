/** A whole number of four bytes. */
export function int(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** Bytes behind their length. */
export function sized(bytes: Uint8Array): Buffer {
  return Buffer.concat([int(bytes.length), bytes])
}

export function text(value: string): Buffer {
  return sized(Buffer.from(value))
}

export function flag(value: boolean): Buffer {
  return Buffer.from([value ? 1 : 0])
}

/** Reads what a server wrote, from the front. */
export class RawAnswer {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  long(): bigint {
    this.#at += 8
    return this.#bytes.readBigInt64BE(this.#at - 8)
  }

  sized(): Buffer {
    const length = Math.max(0, this.int())
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  text(): string {
    return this.sized().toString()
  }

  texts(): readonly string[] {
    return Array.from({ length: Math.max(0, this.int()) }, () => this.text())
  }
}
