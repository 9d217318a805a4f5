import { isHaError, type Verdict } from '@ha/core'
import { verdictTable } from '@ha/core/driver'

const elsewhere: Verdict = { scope: 'endpoint', effect: 'none', transient: true }
const broken: Verdict = { scope: 'connection', effect: 'unknown', transient: true }
const final: Verdict = { scope: 'call', effect: 'none', transient: false }
const later: Verdict = { scope: 'call', effect: 'none', transient: true }
const everywhere: Verdict = { scope: 'cluster', effect: 'none', transient: false }

// AMQP 0-9-1 reply codes, as RabbitMQ uses them.
const byReplyCode = verdictTable(
  {
    311: final, // content-too-large
    312: final, // no-route
    320: { ...elsewhere, effect: 'unknown' }, // connection-forced: the node is stopping
    402: everywhere, // invalid-path: no such virtual host
    403: final, // access-refused
    404: final, // not-found
    405: later, // resource-locked: the old owner of an exclusive queue is not reaped yet
    406: final, // precondition-failed
    501: broken, // frame-error
    502: broken, // syntax-error
    503: broken, // command-invalid
    504: broken, // channel-error
    505: broken, // unexpected-frame
    506: later, // resource-error
    530: everywhere, // not-allowed
    540: final, // not-implemented
    541: broken, // internal-error: among others, a consumer on a queue without a leader
  },
  { scope: 'call', effect: 'unknown', transient: true },
)

// Where one code has two meanings, only the text tells them apart.
const passing: readonly { readonly code: number; readonly text: RegExp }[] = [
  // A queue whose home node is away, not a queue that does not exist.
  { code: 404, text: /home node .* is down or inaccessible|due to timeout|process is stopped/ },
  // The consumer of a connection that is not reaped yet, not a missing permission.
  { code: 403, text: /in exclusive use/ },
]

const byOwnCode = verdictTable(
  {
    unresponsive: { ...elsewhere, effect: 'unknown' },
    stalled: { ...elsewhere, effect: 'unknown' },
    lost: { ...elsewhere, effect: 'unknown' },
    unreachable: elsewhere,
    refused: everywhere,
    'queue-missing': later,
    'exchange-missing': later,
    'timed-out': { scope: 'call', effect: 'unknown', transient: true },
    aborted: { scope: 'call', effect: 'unknown', transient: false },
    'config-invalid': final,
    'access-refused': final,
    'topology-conflict': final,
  },
  { scope: 'call', effect: 'unknown', transient: true },
)

/** What an error of the driver, of the broker or of this package means. */
export function classify(error: unknown): Verdict {
  if (isHaError(error)) {
    // A connection that the broker closed with a reply code was closed for what was said on it, not for the node.
    return error.code === 'lost' && error.serverCode !== undefined
      ? { ...byReplyCode(error.serverCode), effect: 'unknown' }
      : byOwnCode(error.code)
  }
  const { code, message, classId } = (error ?? {}) as { code?: unknown; message?: unknown; classId?: unknown }
  // Only the driver's own errors name the method that was refused: others have numbers too, such as those of HTTP.
  if (typeof code !== 'number' || typeof classId !== 'number') return byReplyCode(undefined)
  const text = String(message)
  return passing.some((other) => other.code === code && other.text.test(text)) ? later : byReplyCode(code)
}

/** The AMQP reply code of an error, or undefined when it has none. */
export function replyCode(error: unknown): number | undefined {
  const { code, serverCode } = (error ?? {}) as { code?: unknown; serverCode?: unknown }
  if (typeof code === 'number') return code
  return typeof serverCode === 'number' ? serverCode : undefined
}
