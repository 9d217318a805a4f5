import type { HaError, Outcome } from '@ha/core'
import { replyCode, requestAtFault } from '../driver/error-classification.ts'
import { type RabbitCode, rabbitError } from '../errors.ts'
import { fail, outcomeOf, type PublishEntry } from './message-queue.ts'

/** The broker refused this message, or one of several without naming it. */
function rejectedByBroker(code: RabbitCode, entry: PublishEntry, cause: unknown, outcome: Outcome): HaError {
  const { message } = cause as { message?: unknown }
  return rabbitError(code, `${entry.messageId} ${target(entry)}: ${String(message)}`, {
    outcome,
    serverCode: replyCode(cause),
    cause,
  })
}

/** The broker returned the message: no queue matched. */
export function unroutable(entry: PublishEntry): HaError {
  const message = `${entry.messageId} ${target(entry)}: no queue matched (${entry.returned})`
  // The outcome of an earlier attempt is unknown.
  return rabbitError('unroutable', message, { outcome: entry.attempts > 1 ? 'unknown' : 'not-done' })
}

/** The broker nacked the message, and it may not be sent again, or its route stays refused. */
export function nacked(entry: PublishEntry): HaError {
  const message = `${entry.messageId} ${target(entry)}: the broker did not accept the message`
  return rabbitError('nacked', message, { outcome: 'unknown', retryable: true })
}

/** The connection was lost after sending, and the caller does not want the message sent twice. */
export function connectionLost(entry: PublishEntry, cause: Error): HaError {
  const message = `${entry.messageId} ${target(entry)}: the connection was lost after sending and before a confirm`
  return rabbitError('outcome-unknown', message, { outcome: 'unknown', cause })
}

/** The broker ends the connection over this message. After an internal error it may have stored the message before. */
export function endsConnection(entry: PublishEntry, cause: Error): HaError {
  const message = `${entry.messageId} ${target(entry)}: the broker ends the connection over this message: ${cause.message}`
  const outcome = requestAtFault(cause) === 'later' ? 'unknown' : 'not-done'
  return rabbitError('rejected', message, { outcome, serverCode: replyCode(cause), cause })
}

/** The deadline of the publish has passed. */
export function deadlineExceeded(
  entry: PublishEntry,
  nowMs: number,
  { text, cause }: { readonly text: string; readonly cause: Error | undefined },
): HaError {
  const outcome = outcomeOf(entry)
  const state = outcome === 'unknown' ? 'sent, but not confirmed' : 'not sent'
  const waitedMs = Math.round(nowMs - entry.acceptedAtMs)
  const message = `${entry.messageId} ${target(entry)}: ${state} within ${waitedMs} ms${text}`
  return rabbitError('timed-out', message, { outcome, retryable: true, cause })
}

/** The caller's signal has fired. */
export function abortedByCaller(entry: PublishEntry, cause: unknown): HaError {
  const message = `${entry.messageId} ${target(entry)}: aborted by the caller’s signal`
  return rabbitError('aborted', message, { outcome: outcomeOf(entry), cause })
}

/** The client was closed. */
export function clientClosed(entry: PublishEntry): HaError {
  const message = `${entry.messageId} ${target(entry)}: the client was closed before a confirm`
  return rabbitError('closed', message, { outcome: outcomeOf(entry) })
}

/** The message was dropped from the full publish buffer (`drop-oldest`). */
export function droppedForNewer(entry: PublishEntry): HaError {
  return rabbitError('buffer-full', `${entry.messageId} ${target(entry)}: dropped for a newer message`)
}

/** The headers of a message do not fit: the protocol cannot split them. Nothing was sent. */
export function headersTooLarge(what: string, bytes: number, maxBytes: number): HaError {
  return rabbitError('too-large', `${what}: ${bytes} bytes encoded, at most ${maxBytes} fit`)
}

/** The content header of a message does not fit into a frame of this connection. */
export function headerTooLarge(entry: PublishEntry, maxBytes: number): HaError {
  const what = `${entry.messageId} ${target(entry)}: headers larger than a frame of the broker (frame_max)`
  return headersTooLarge(what, entry.headerBytes, maxBytes)
}

/** The driver cannot encode the message. */
export function notEncodable(entry: PublishEntry, cause: unknown): HaError {
  const { message } = cause as { message?: unknown }
  return rabbitError('config-invalid', `${entry.messageId} cannot be encoded: ${String(message)}`, { cause })
}

function target({ exchange, key }: PublishEntry): string {
  return `to exchange '${exchange}' with key '${key}'`
}

/** Which messages a channel error is about: named by the broker, unnamed, or none. */
type ChannelErrorAnalysis =
  | {
      readonly kind: 'named'
      readonly code: RabbitCode
      /** The broker refuses such a message on every attempt. */
      readonly isCertain?: boolean
      readonly matches: (entry: PublishEntry) => boolean
    }
  | { readonly kind: 'unnamed'; readonly code: RabbitCode }
  | { readonly kind: 'none' }

// AMQP 0-9-1: class 60 (basic), method 40 (publish).
const basicClass = 60
const publishMethod = 40

/**
 * Finds out which messages in flight a channel error is about. The broker names the exchange or the size limit in the
 * reply text only. When that text is not recognised, the messages have to be sent one by one.
 */
function analyzeChannelError(error: unknown): ChannelErrorAnalysis {
  const { classId, methodId, message } = (error ?? {}) as {
    classId?: unknown
    methodId?: unknown
    message?: unknown
  }
  const reply = replyCode(error)
  if (reply === undefined || classId !== basicClass || methodId !== publishMethod) return { kind: 'none' }
  const text = String(message)
  switch (reply) {
    case 404:
      return byExchange('exchange-missing', /no exchange '(.*)' in vhost/s.exec(text))
    case 403:
      return byExchange(
        'access-refused',
        /(?:access to|publish to internal) exchange '(.*)' in vhost/s.exec(text),
      )
    case 406:
      return (
        bySize(/larger than configured max size (\d+)/.exec(text)) ??
        byUser(/^.*user_id property set to '(.*)' but/s.exec(text)) ?? { kind: 'unnamed', code: 'rejected' }
      )
    default:
      return { kind: 'unnamed', code: 'rejected' }
  }
}

// When another client deletes an exchange of the topology repeatedly, its messages fail in the end.
const maxMissingExchangeAttempts = 3

/**
 * Rejects the messages named by the channel error. Messages to a missing exchange are kept when `redeclare` says that it
 * will be declared again. Returns the number of messages that have to be sent one by one to find the offending one.
 */
export function rejectOffending(
  unanswered: readonly PublishEntry[],
  error: unknown,
  redeclare: (exchange: string) => boolean,
): number {
  const analysis = analyzeChannelError(error)
  if (analysis.kind === 'none') return 0
  const offending = analysis.kind === 'named' ? unanswered.filter(analysis.matches) : []
  const [only] = unanswered
  // Unnamed, or no message in flight matches.
  if (offending.length === 0) {
    if (only === undefined || unanswered.length > 1) return unanswered.length
    fail(only, rejectedByBroker(analysis.code, only, error, 'not-done'))
    return 0
  }
  const kept = analysis.code === 'exchange-missing' ? republishable(offending, redeclare) : []
  const isCertain = analysis.kind === 'named' && analysis.isCertain === true
  for (const entry of offending.filter((one) => !kept.includes(one))) {
    const outcome = outcomeOfRejection(isCertain, entry, offending.length)
    fail(entry, rejectedByBroker(analysis.code, entry, error, outcome))
  }
  return 0
}

// A message that is too large, or of another user, was refused on every attempt. A missing exchange may have existed for an earlier attempt,
// or for the first of several messages.
function outcomeOfRejection(isCertain: boolean, { attempts }: PublishEntry, offendingCount: number): Outcome {
  return isCertain || (offendingCount === 1 && attempts <= 1) ? 'not-done' : 'unknown'
}

function republishable(
  offending: readonly PublishEntry[],
  redeclare: (exchange: string) => boolean,
): readonly PublishEntry[] {
  const candidates = offending.filter(
    ({ repeatable, attempts }) => repeatable && attempts < maxMissingExchangeAttempts,
  )
  const [first] = candidates
  return first !== undefined && redeclare(first.exchange) ? candidates : []
}

function byExchange(code: RabbitCode, match: RegExpExecArray | null): ChannelErrorAnalysis {
  if (match === null) return { kind: 'unnamed', code }
  const [, exchange] = match
  return { kind: 'named', code, matches: (entry) => entry.exchange === exchange }
}

function bySize(match: RegExpExecArray | null): ChannelErrorAnalysis | undefined {
  if (match === null) return undefined
  const limit = Number(match[1])
  return {
    kind: 'named',
    code: 'too-large',
    isCertain: true,
    matches: (entry) => entry.content.length > limit,
  }
}

function byUser(match: RegExpExecArray | null): ChannelErrorAnalysis | undefined {
  if (match === null) return undefined
  const [, user] = match
  return {
    kind: 'named',
    code: 'access-refused',
    isCertain: true,
    matches: ({ properties }) => properties.userId === user,
  }
}
