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

/**
 * Fails those that brought a channel down. What went to a missing exchange may come back, when `comesBack` says so.
 * Returns how many are under suspicion: they have to be sent one by one to find out.
 */
export function failGuilty(
  unanswered: readonly Entry[],
  error: unknown,
  comesBack: (entry: Entry) => boolean,
): number {
  const guilt = guiltOf(error)
  switch (guilt.kind) {
    case 'none':
      return 0
    case 'named':
      for (const entry of unanswered.filter(guilt.is)) {
        if (guilt.code !== 'exchange-missing' || !comesBack(entry))
          fail(entry, refusal(guilt.code, entry, error))
      }
      return 0
    case 'unnamed': {
      const [only] = unanswered
      if (only === undefined || unanswered.length > 1) return unanswered.length
      fail(only, refusal(guilt.code, only, error))
      return 0
    }
  }
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
