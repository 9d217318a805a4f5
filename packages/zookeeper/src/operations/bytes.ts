import type { Bytes } from '../node.ts'
import { ZookeeperError } from '../zookeeper-error.ts'

// A little under the servers' default `jute.maxbuffer` of 0xfffff bytes, so that path and ACL fit in as well, and the
// node's stat beside it for clients that read no more either. The request as a whole is looked at before it is sent.
const mostBytes = 1_000_000

/** What is written, as bytes; a text as UTF-8, nothing as no bytes. */
export function bytesOf(data: Bytes | null | undefined, name: string, path: string): Buffer {
  const bytes = read(data, name, path)
  if (bytes.length <= mostBytes) return bytes
  const message = `${name} ${path}: ${bytes.length} bytes are more than the ${mostBytes} that a node may have`
  throw new ZookeeperError('too-large', message, { path })
}

function read(data: Bytes | null | undefined, name: string, path: string): Buffer {
  if (data === undefined || data === null) return Buffer.alloc(0)
  if (typeof data === 'string') return Buffer.from(data)
  if (data instanceof Uint8Array) return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  throw new ZookeeperError(
    'config-invalid',
    `${name} ${path}: expected bytes or a text as data, got a ${typeof data}`,
    { path },
  )
}
