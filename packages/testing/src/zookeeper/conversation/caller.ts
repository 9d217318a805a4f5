import type { Watcher } from '../tree/watches.ts'
import type { Identity } from '../wire/acl.ts'
import { code } from '../wire/code.ts'
import { noBody } from '../wire/reply.ts'
import type { Whose } from './server.ts'

/** Who asks on a connection. */
export interface Caller extends Whose {
  /** The names that it has given, its address first. */
  names: readonly Identity[]
  readonly watcher: Watcher
}

/** What comes of a request. */
export interface Result {
  readonly code: number
  readonly body: Buffer
  /** Whether the connection ends behind it. */
  readonly isLast: boolean
}

/** That it is done. */
export function done(body: Buffer = noBody): Result {
  return { code: code.ok, body, isLast: false }
}
