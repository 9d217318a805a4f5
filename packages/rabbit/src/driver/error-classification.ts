import { isHaError, type Verdict } from '@ha/core'
import { verdictTable } from '@ha/core/driver'

const endpointFailure: Verdict = { scope: 'endpoint', effect: 'none', transient: true }
const connectionFailure: Verdict = { scope: 'connection', effect: 'unknown', transient: true }
const permanent: Verdict = { scope: 'call', effect: 'none', transient: false }
const retryable: Verdict = { scope: 'call', effect: 'none', transient: true }
const clusterFailure: Verdict = { scope: 'cluster', effect: 'none', transient: false }

// AMQP 0-9-1 reply codes, as RabbitMQ uses them.
const byReplyCode = verdictTable(
  {
    311: permanent, // content-too-large
    312: permanent, // no-route
    320: { ...endpointFailure, effect: 'unknown' }, // connection-forced: the node is stopping
    402: clusterFailure, // invalid-path: no such virtual host
    403: permanent, // access-refused
    404: permanent, // not-found
    405: retryable, // resource-locked: the old owner of an exclusive queue is not reaped yet
    406: permanent, // precondition-failed
    501: connectionFailure, // frame-error
    502: connectionFailure, // syntax-error
    503: connectionFailure, // command-invalid
    504: connectionFailure, // channel-error
    505: connectionFailure, // unexpected-frame
    506: retryable, // resource-error
    530: clusterFailure, // not-allowed
    540: permanent, // not-implemented
    541: connectionFailure, // internal-error: among others, a consumer on a queue without a leader
  },
  { scope: 'call', effect: 'unknown', transient: true },
)

// Where one code has two meanings, only the text tells them apart.
const transientTexts: readonly { readonly code: number; readonly text: RegExp }[] = [
  // A queue whose home node is away, not a queue that does not exist.
  { code: 404, text: /home node .* is down or inaccessible|due to timeout|process is stopped/ },
  // The consumer of a connection that is not reaped yet, not a missing permission.
  { code: 403, text: /in exclusive use/ },
]

const byClientCode = verdictTable(
  {
    unresponsive: { ...endpointFailure, effect: 'unknown' },
    stalled: { ...endpointFailure, effect: 'unknown' },
    lost: { ...endpointFailure, effect: 'unknown' },
    unreachable: endpointFailure,
    refused: clusterFailure,
    'queue-missing': retryable,
    'exchange-missing': retryable,
    'timed-out': { scope: 'call', effect: 'unknown', transient: true },
    aborted: { scope: 'call', effect: 'unknown', transient: false },
    'config-invalid': permanent,
    'access-refused': permanent,
    'topology-conflict': permanent,
  },
  { scope: 'call', effect: 'unknown', transient: true },
)

/** What an error of the driver, of the broker or of this package means. */
export function classify(error: unknown): Verdict {
  if (isHaError(error)) {
    // A connection that the broker closed with a reply code was closed for what was said on it, not for the node.
    return error.code === 'lost' && error.serverCode !== undefined
      ? { ...byReplyCode(error.serverCode), effect: 'unknown' }
      : byClientCode(error.code)
  }
  const { code, message, classId } = (error ?? {}) as { code?: unknown; message?: unknown; classId?: unknown }
  // Only the driver's own errors name the method that was refused: others have numbers too, such as those of HTTP.
  if (typeof code !== 'number' || typeof classId !== 'number') return byReplyCode(undefined)
  const text = String(message)
  return transientTexts.some((other) => other.code === code && other.text.test(text))
    ? retryable
    : byReplyCode(code)
}

/** The AMQP reply code of an error, or undefined when it has none. */
export function replyCode(error: unknown): number | undefined {
  const { code, serverCode } = (error ?? {}) as { code?: unknown; serverCode?: unknown }
  if (typeof code === 'number') return code
  return typeof serverCode === 'number' ? serverCode : undefined
}
