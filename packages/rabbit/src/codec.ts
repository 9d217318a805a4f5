/** How a message's body becomes bytes, and bytes become a body. */
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
      if (text === undefined) throw new TypeError('the body has no JSON form')
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

/** Bytes as they are, without a copy: do not change a buffer that you have published. */
export function bytes(): Codec<Uint8Array> {
  return {
    contentType: 'application/octet-stream',
    encode: (body) =>
      Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    decode: (content) => content,
  }
}
