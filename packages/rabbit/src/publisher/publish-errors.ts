import type { HaError, Outcome } from '@ha/core'
import { replyCode } from '../driver/error-classification.ts'
import { type RabbitCode, rabbitError } from '../errors.ts'
import { fail, outcomeOf, type PublishEntry } from './message-queue.ts'

// Every way in which a publish can fail, in one place, so that they speak alike.

/** The broker refused it, or one of several of which nobody knows which. */
function rejectedByBroker(code: RabbitCode, entry: PublishEntry, cause: unknown, outcome: Outcome): HaError {
  const { message } = cause as { message?: unknown }
  return rabbitError(code, `${entry.messageId} ${target(entry)}: ${String(message)}`, {
    outcome,
    serverCode: replyCode(cause),
    cause,
  })
}

/** The broker gave it back and confirmed that it did. */
export function unroutable(entry: PublishEntry): HaError {
  const message = `${entry.messageId} ${target(entry)}: no queue wanted it (${entry.returned})`
  // Of an earlier try nobody knows.
  return rabbitError('unroutable', message, { outcome: entry.attempts > 1 ? 'unknown' : 'not-done' })
}

/** The broker could not take it, and the caller wants it sent once at the most. */
export function nacked(entry: PublishEntry): HaError {
  const message = `${entry.messageId} ${target(entry)}: the broker could not take it`
  return rabbitError('nacked', message, { outcome: 'unknown', retryable: true })
}

/** It was sent, its connection is gone, and the caller wants it sent once at the most. */
export function connectionLost(entry: PublishEntry): HaError {
  const message = `${entry.messageId} ${target(entry)}: sent, and the connection was lost before a confirm`
  return rabbitError('outcome-unknown', message, { outcome: 'unknown' })
}

/** Its deadline has passed. */
export function deadlineExceeded(entry: PublishEntry, nowMs: number, why: string): HaError {
  const outcome = outcomeOf(entry)
  const how = outcome === 'unknown' ? 'sent, but not confirmed' : 'not sent'
  const waitedMs = Math.round(nowMs - entry.acceptedAtMs)
  const message = `${entry.messageId} ${target(entry)}: ${how} within ${waitedMs} ms${why}`
  return rabbitError('timed-out', message, { outcome, retryable: true })
}

/** The caller's signal has fired. */
export function abortedByCaller(entry: PublishEntry, cause: unknown): HaError {
  const message = `${entry.messageId} ${target(entry)}: ended by the caller’s signal`
  return rabbitError('aborted', message, { outcome: outcomeOf(entry), cause })
}

/** The client was closed. */
export function clientClosed(entry: PublishEntry): HaError {
  const message = `${entry.messageId} ${target(entry)}: the client was closed before a confirm`
  return rabbitError('closed', message, { outcome: outcomeOf(entry) })
}

/** It had to make room for a newer one. */
export function droppedForNewer(entry: PublishEntry): HaError {
  return rabbitError('buffer-full', `${entry.messageId} ${target(entry)}: dropped for a newer message`)
}

/** The driver cannot put it into frames. */
export function notEncodable(entry: PublishEntry, cause: unknown): HaError {
  const { message } = cause as { message?: unknown }
  return rabbitError('config-invalid', `${entry.messageId} cannot be encoded: ${String(message)}`, { cause })
}

function target({ exchange, key }: PublishEntry): string {
  return `to exchange '${exchange}' with key '${key}'`
}

/** Who brought a channel down: named by the broker, not named though somebody did, or nobody who published. */
type ChannelErrorAnalysis =
  | { readonly kind: 'named'; readonly code: RabbitCode; readonly is: (entry: PublishEntry) => boolean }
  | { readonly kind: 'unnamed'; readonly code: RabbitCode }
  | { readonly kind: 'none' }

// The method of AMQP 0-9-1 whose refusal closes a publisher's channel: class 60 (basic), method 40 (publish).
const basicClass = 60
const publishMethod = 40

/**
 * Reads from the error that closed a channel which of the messages in flight is to blame. The broker has only one
 * text to say it in; where that text is strange, the guilty one has to be found by sending them one by one.
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
      return byExchange('access-refused', /access to exchange '(.*)' in vhost/s.exec(text))
    case 406:
      return bySize(/larger than configured max size (\d+)/.exec(text))
    default:
      return { kind: 'unnamed', code: 'rejected' }
  }
}

// An exchange of the topology that vanishes again and again is somebody else's decision.
const maxMissingExchangeAttempts = 3

/**
 * Fails those that brought a channel down. What went to a missing exchange comes back, when `restore` says that the
 * exchange will be declared again. Returns how many are under suspicion: they have to be sent one by one to find out.
 */
export function rejectOffending(
  unanswered: readonly PublishEntry[],
  error: unknown,
  restore: (exchange: string) => boolean,
): number {
  const guilt = analyzeChannelError(error)
  if (guilt.kind === 'none') return 0
  const guilty = guilt.kind === 'named' ? unanswered.filter(guilt.is) : []
  const [only] = unanswered
  // Not named, or nobody here has sent what the broker speaks of.
  if (guilty.length === 0) {
    if (only === undefined || unanswered.length > 1) return unanswered.length
    fail(only, rejectedByBroker(guilt.code, only, error, 'not-done'))
    return 0
  }
  const comeBack = guilt.code === 'exchange-missing' ? republishable(guilty, restore) : []
  for (const entry of guilty.filter((one) => !comeBack.includes(one))) {
    const outcome = outcomeOfRefusal(guilt.code, entry, guilty.length)
    fail(entry, rejectedByBroker(guilt.code, entry, error, outcome))
  }
  return 0
}

// A message that is too large was so on every try. But an exchange may have been there a moment ago: for an earlier
// try, or for the first of several.
function outcomeOfRefusal(code: RabbitCode, { attempts }: PublishEntry, guilty: number): Outcome {
  return code === 'too-large' || (guilty === 1 && attempts <= 1) ? 'not-done' : 'unknown'
}

function republishable(
  guilty: readonly PublishEntry[],
  restore: (exchange: string) => boolean,
): readonly PublishEntry[] {
  const may = guilty.filter(({ repeatable, attempts }) => repeatable && attempts < maxMissingExchangeAttempts)
  const [first] = may
  return first !== undefined && restore(first.exchange) ? may : []
}

function byExchange(code: RabbitCode, match: RegExpExecArray | null): ChannelErrorAnalysis {
  if (match === null) return { kind: 'unnamed', code }
  const [, exchange] = match
  return { kind: 'named', code, is: (entry) => entry.exchange === exchange }
}

function bySize(match: RegExpExecArray | null): ChannelErrorAnalysis {
  if (match === null) return { kind: 'unnamed', code: 'rejected' }
  const limit = Number(match[1])
  return { kind: 'named', code: 'too-large', is: (entry) => entry.content.length > limit }
}
