import type { Bytes } from '../node.ts'
import type { Instance } from './instance.ts'

/** How instances are written into the registry, and read from it. */
export interface InstanceCodec {
  encode(instance: Instance): Bytes
  /** Undefined for a node that holds no instance: it is skipped and counted, and so is one that makes this throw. */
  decode(data: Buffer): Instance | undefined
}
