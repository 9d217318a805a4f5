import type { HaError } from '@ha/core'
import { replyCode } from '../amqp/verdicts.ts'
import { rabbitError } from '../codes.ts'

/** The error of a declaration that the broker refused for good. */
export function conflictOf(key: string, refused: HaError): HaError {
  const { cause } = refused
  const serverCode = replyCode(cause)
  const code = serverCode === 403 ? 'access-refused' : 'topology-conflict'
  return rabbitError(code, refused.message.startsWith(key) ? refused.message : `${key}: ${refused.message}`, {
    serverCode,
    cause,
  })
}
