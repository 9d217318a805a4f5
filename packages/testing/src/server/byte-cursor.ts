/** Goes through bytes from front to back and never beyond their end. What a protocol reads there is its own. */
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

  /** Goes over the next bytes, and says where they begin. Throws {@link MalformedMessage} when there are fewer. */
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

/** Bytes that are no message of their protocol: what a scripted server says to them is its protocol's. */
export class MalformedMessage extends Error {
  override readonly name = 'Malformed'
}
