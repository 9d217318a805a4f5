import type { Bytes } from '../node.ts'

/** Bytes as they are sent; a text as UTF-8. Shares the memory of what it is given. */
export function bytesOf(bytes: Bytes): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes)
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
