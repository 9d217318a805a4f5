import { isHaError } from '@ha/core'

/**
 * True of an error that the same question meets again, however often it is asked. That every server refuses us is none:
 * the core dials on, since somebody may correct the credentials or the certificate.
 */
export function isLasting(thrown: unknown): boolean {
  if (!isHaError(thrown)) return true
  return !thrown.retryable && thrown.code !== 'refused'
}
