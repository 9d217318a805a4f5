import type { Outcome } from '@ha/core'
import { replyCode } from '../amqp/verdicts.ts'
import type { RabbitCode } from '../codes.ts'
import { type Entry, fail } from './entry.ts'
import { refusal } from './failures.ts'

/** Who brought a channel down: named by the broker, not named though somebody did, or nobody who published. */
export type Guilt =
  | { readonly kind: 'named'; readonly code: RabbitCode; readonly is: (entry: Entry) => boolean }
  | { readonly kind: 'unnamed'; readonly code: RabbitCode }
  | { readonly kind: 'none' }

// The method of AMQP 0-9-1 whose refusal closes a publisher's channel: class 60 (basic), method 40 (publish).
const basic = 60
const publish = 40

/**
 * Reads from the error that closed a channel which of the messages in flight is to blame. The broker has only one
 * text to say it in; where that text is strange, the guilty one has to be found by sending them one by one.
 */
export function guiltOf(error: unknown): Guilt {
  const { classId, methodId, message } = (error ?? {}) as {
    classId?: unknown
    methodId?: unknown
    message?: unknown
  }
  const reply = replyCode(error)
  if (reply === undefined || classId !== basic || methodId !== publish) return { kind: 'none' }
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
const mostTriesOnMissingExchange = 3

/**
 * Fails those that brought a channel down. What went to a missing exchange comes back, when `restore` says that the
 * exchange will be declared again. Returns how many are under suspicion: they have to be sent one by one to find out.
 */
export function failGuilty(
  unanswered: readonly Entry[],
  error: unknown,
  restore: (exchange: string) => boolean,
): number {
  const guilt = guiltOf(error)
  if (guilt.kind === 'none') return 0
  const guilty = guilt.kind === 'named' ? unanswered.filter(guilt.is) : []
  const [only] = unanswered
  // Not named, or nobody here has sent what the broker speaks of.
  if (guilty.length === 0) {
    if (only === undefined || unanswered.length > 1) return unanswered.length
    fail(only, refusal(guilt.code, only, error, 'not-done'))
    return 0
  }
  const comeBack = guilt.code === 'exchange-missing' ? comingBack(guilty, restore) : []
  for (const entry of guilty.filter((one) => !comeBack.includes(one))) {
    const outcome = outcomeOfRefusal(guilt.code, entry, guilty.length)
    fail(entry, refusal(guilt.code, entry, error, outcome))
  }
  return 0
}

// A message that is too large was so on every try. But an exchange may have been there a moment ago: for an earlier
// try, or for the first of several.
function outcomeOfRefusal(code: RabbitCode, { attempts }: Entry, guilty: number): Outcome {
  return code === 'too-large' || (guilty === 1 && attempts <= 1) ? 'not-done' : 'unknown'
}

function comingBack(guilty: readonly Entry[], restore: (exchange: string) => boolean): readonly Entry[] {
  const may = guilty.filter(({ repeatable, attempts }) => repeatable && attempts < mostTriesOnMissingExchange)
  const [first] = may
  return first !== undefined && restore(first.exchange) ? may : []
}

function byExchange(code: RabbitCode, match: RegExpExecArray | null): Guilt {
  if (match === null) return { kind: 'unnamed', code }
  const [, exchange] = match
  return { kind: 'named', code, is: (entry) => entry.exchange === exchange }
}

function bySize(match: RegExpExecArray | null): Guilt {
  if (match === null) return { kind: 'unnamed', code: 'rejected' }
  const limit = Number(match[1])
  return { kind: 'named', code: 'too-large', is: (entry) => entry.content.length > limit }
}
