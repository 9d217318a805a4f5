import { HaError, type HaErrorDetails } from '@ha/core'
import type { ZookeeperCode } from './codes.ts'

export interface ZookeeperErrorDetails extends HaErrorDetails {
  /** The node that it is about, below the chroot. */
  readonly path?: string | undefined
}

/** An {@link HaError} with the path of the node; `serverCode` is ZooKeeper's number, such as -101. */
export class ZookeeperError extends HaError<ZookeeperCode> {
  readonly path: string | undefined

  constructor(code: ZookeeperCode, message: string, details: ZookeeperErrorDetails = {}) {
    super(code, message, details)
    this.name = 'ZookeeperError'
    this.path = details.path
  }
}

/** The same error, of which something else is told. */
export function retold(
  error: ZookeeperError,
  { message, ...told }: ZookeeperErrorDetails & { readonly message?: string },
): ZookeeperError {
  const { code, outcome, retryable, endpoint, serverCode, attempts, path, cause } = error
  const details = { outcome, retryable, endpoint, serverCode, attempts, path, cause, ...told }
  return new ZookeeperError(code, message ?? error.message, details)
}
