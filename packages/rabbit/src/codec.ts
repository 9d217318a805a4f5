/** Encodes and decodes the body of a message. */
export interface Codec<T> {
  readonly contentType: string
  encode(body: T): Buffer
  decode(content: Buffer): T
}

/** JSON in UTF-8. */
export function json<T = unknown>(): Codec<T> {
  return {
    contentType: 'application/json',
    encode(body) {
      const text = JSON.stringify(body)
      if (text === undefined) throw new TypeError('the body cannot be written as JSON')
      return Buffer.from(text)
    },
    decode: (content) => JSON.parse(content.toString()) as T,
  }
}

/** Plain text in UTF-8. */
export function text(): Codec<string> {
  return {
    contentType: 'text/plain; charset=utf-8',
    encode: (body) => Buffer.from(body),
    decode: (content) => content.toString(),
  }
}

/** Raw bytes, without a copy: do not change a buffer after `publish`. */
export function bytes(): Codec<Uint8Array> {
  return {
    contentType: 'application/octet-stream',
    encode: (body) =>
      Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    decode: (content) => content,
  }
}
