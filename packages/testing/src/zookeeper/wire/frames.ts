import { MalformedMessage } from '../../server/byte-cursor.ts'

/** A record without its length. */
export interface RecordFrame {
  readonly kind: 'record'
  readonly body: Buffer
  /** How many bytes it took, its length included. */
  readonly wireBytes: number
}

/** One message of a client: a record, or a four-letter word. */
export type ClientMessage = RecordFrame | { readonly kind: 'word'; readonly word: string }

const lengthBytes = 4

/** A record behind its length. */
export function framed(body: Buffer): Buffer {
  return Buffer.concat([lengthOf(body.length), body])
}

/** A length alone: the header of a frame that may never arrive. */
export function lengthOf(bytes: number): Buffer {
  const head = Buffer.alloc(lengthBytes)
  head.writeInt32BE(bytes)
  return head
}

/** Cuts a stream of bytes into frames. It is pulled: what is not asked for stays bytes. */
export class ClientMessageReader {
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #length = 0
  #isFirst = true

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
  }

  /**
   * The next frame; undefined when it has not wholly arrived. Throws {@link MalformedMessage} at a length that cannot
   * be.
   */
  next(): ClientMessage | undefined {
    if (this.#length < lengthBytes) return undefined
    const bytes = this.#joined()
    const head = bytes.subarray(0, lengthBytes)
    if (this.#isFirst && isWord(head)) return { kind: 'word', word: head.toString('latin1') }
    const length = head.readInt32BE()
    if (length < 0 || length > this.#maxBytes) throw new MalformedMessage(`a frame of ${length} bytes`)
    const end = lengthBytes + length
    if (bytes.length < end) return undefined
    this.#isFirst = false
    this.#chunks = [bytes.subarray(end)]
    this.#length -= end
    return { kind: 'record', body: bytes.subarray(lengthBytes, end), wireBytes: end }
  }

  #joined(): Buffer {
    const [only] = this.#chunks
    const bytes = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks)
    this.#chunks = [bytes]
    return bytes
  }
}

// As a length, four small letters would be more than a gigabyte.
function isWord(head: Buffer): boolean {
  return head.every((octet) => octet >= 0x61 && octet <= 0x7a)
}
