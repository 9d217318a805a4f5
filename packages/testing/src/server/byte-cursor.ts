/** Reads bytes from front to back and never beyond their end. Each protocol adds its own types. */
export class ByteCursor {
  protected readonly source: Buffer
  #at = 0

  constructor(source: Buffer) {
    this.source = source
  }

  get left(): number {
    return this.source.length - this.#at
  }

  /** The next bytes themselves, not a copy. */
  bytes(length: number): Buffer {
    const start = this.take(length)
    return this.source.subarray(start, start + length)
  }

  /** Skips the next bytes and returns where they begin. Throws {@link MalformedMessage} when there are fewer. */
  protected take(length: number): number {
    if (length > this.left) throw new MalformedMessage(`${length} bytes wanted, ${this.left} left`)
    const start = this.#at
    this.#at += length
    return start
  }

  /** Where the next byte is. */
  protected get at(): number {
    return this.#at
  }
}

/** Bytes that are no message of their protocol. Each protocol answers them in its own way. */
export class MalformedMessage extends Error {
  override readonly name = 'Malformed'
}
