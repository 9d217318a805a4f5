import type { HaError, Outcome } from '@ha/core'
import { replyCode } from '../amqp/verdicts.ts'
import { type RabbitCode, rabbitError } from '../codes.ts'
import { type Entry, outcomeOf } from './entry.ts'

// Every way in which a publish can fail, in one place, so that they speak alike.

/** The broker refused it, or one of several of which nobody knows which. */
export function refusal(code: RabbitCode, entry: Entry, cause: unknown, outcome: Outcome): HaError {
  const { message } = cause as { message?: unknown }
  return rabbitError(code, `${entry.messageId} ${to(entry)}: ${String(message)}`, {
    outcome,
    serverCode: replyCode(cause),
    cause,
  })
}

/** The broker gave it back and confirmed that it did. */
export function unroutable(entry: Entry): HaError {
  const message = `${entry.messageId} ${to(entry)}: no queue wanted it (${entry.returned})`
  // Of an earlier try nobody knows.
  return rabbitError('unroutable', message, { outcome: entry.attempts > 1 ? 'unknown' : 'not-done' })
}

/** The broker could not take it, and the caller wants it sent once at the most. */
export function nacked(entry: Entry): HaError {
  const message = `${entry.messageId} ${to(entry)}: the broker could not take it`
  return rabbitError('nacked', message, { outcome: 'unknown', retryable: true })
}

/** It was sent, its connection is gone, and the caller wants it sent once at the most. */
export function lostOnTheWay(entry: Entry): HaError {
  const message = `${entry.messageId} ${to(entry)}: sent, and the connection was lost before a confirm`
  return rabbitError('outcome-unknown', message, { outcome: 'unknown' })
}

/** Its deadline has passed. */
export function tooOld(entry: Entry, nowMs: number, why: string): HaError {
  const outcome = outcomeOf(entry)
  const how = outcome === 'unknown' ? 'sent, but not confirmed' : 'not sent'
  const waitedMs = Math.round(nowMs - entry.acceptedAtMs)
  const message = `${entry.messageId} ${to(entry)}: ${how} within ${waitedMs} ms${why}`
  return rabbitError('timed-out', message, { outcome, retryable: true })
}

/** The caller's signal has fired. */
export function abandoned(entry: Entry, cause: unknown): HaError {
  const message = `${entry.messageId} ${to(entry)}: ended by the caller’s signal`
  return rabbitError('aborted', message, { outcome: outcomeOf(entry), cause })
}

/** The client was closed. */
export function closedBefore(entry: Entry): HaError {
  const message = `${entry.messageId} ${to(entry)}: the client was closed before a confirm`
  return rabbitError('closed', message, { outcome: outcomeOf(entry) })
}

/** It had to make room for a newer one. */
export function dropped(entry: Entry): HaError {
  return rabbitError('buffer-full', `${entry.messageId} ${to(entry)}: dropped for a newer message`)
}

/** The driver cannot put it into frames. */
export function notEncodable(entry: Entry, cause: unknown): HaError {
  const { message } = cause as { message?: unknown }
  return rabbitError('config-invalid', `${entry.messageId} cannot be encoded: ${String(message)}`, { cause })
}

function to({ exchange, key }: Entry): string {
  return `to exchange '${exchange}' with key '${key}'`
}
