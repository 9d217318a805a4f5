import { isHaError } from '@ha/core'
import { asError } from '@ha/core/driver'
import { ZookeeperError } from '../zookeeper-error.ts'

/** Why a lease is no longer certain: `why` is a reason in words, or what its signal was fired with. */
export function leaseOver(path: string, why: unknown): ZookeeperError {
  const cause = typeof why === 'string' ? undefined : asError(why)
  const text = cause?.message ?? String(why)
  const saysItself = isHaError(cause) && cause.code === 'lease-over'
  const message = saysItself ? text : `the lease ${path} is over: ${text}`
  return new ZookeeperError('lease-over', message, { path, retryable: true, cause })
}
