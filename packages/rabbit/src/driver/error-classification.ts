import type { Verdict } from '@ha/core'
import { classifier, verdicts, verdictTable } from '@ha/core/driver'

// AMQP 0-9-1 reply codes, as RabbitMQ uses them.
const byReplyCode = verdictTable(
  {
    311: verdicts.final, // content-too-large
    312: verdicts.final, // no-route
    320: verdicts.endpointLost, // connection-forced: the node is stopping
    402: verdicts.everywhere, // invalid-path: no such virtual host
    403: verdicts.final, // access-refused
    404: verdicts.final, // not-found
    405: verdicts.later, // resource-locked: the previous owner of an exclusive queue is not cleaned up yet
    406: verdicts.final, // precondition-failed
    501: verdicts.connectionLost, // frame-error
    502: verdicts.connectionLost, // syntax-error
    503: verdicts.connectionLost, // command-invalid
    504: verdicts.connectionLost, // channel-error
    505: verdicts.connectionLost, // unexpected-frame
    506: verdicts.later, // resource-error
    530: verdicts.everywhere, // not-allowed
    540: verdicts.final, // not-implemented
    541: verdicts.connectionLost, // internal-error: for example, a consumer of a queue without a leader
  },
  verdicts.uncertain,
  [
    // The home node of the queue is down; the queue itself exists.
    {
      code: 404,
      text: /home node .* is down or inaccessible|due to timeout|process is stopped/,
      verdict: verdicts.later,
    },
    // The consumer of a connection that is not cleaned up yet; not a missing permission.
    { code: 403, text: /in exclusive use/, verdict: verdicts.later },
  ],
)

/** Classifies an error of the driver, of the broker or of this package. */
export const classify: (error: unknown) => Verdict = classifier({
  codes: {
    stalled: verdicts.endpointLost,
    'queue-missing': verdicts.later,
    'exchange-missing': verdicts.later,
    'access-refused': verdicts.final,
    'topology-conflict': verdicts.final,
  },
  // The broker closes a connection with a reply code because of a frame that it received, not because of the node.
  serverCode: (serverCode, error) =>
    error.code === 'lost' ? { ...byReplyCode(serverCode), effect: 'unknown' } : undefined,
  foreign: (error) => {
    const { code, message, classId } = (error ?? {}) as {
      code?: unknown
      message?: unknown
      classId?: unknown
    }
    // Only errors of the driver carry the class of the refused method. Other errors, such as those of HTTP, may have a
    // numeric code of another meaning.
    if (typeof code !== 'number' || typeof classId !== 'number') return undefined
    return byReplyCode(code, String(message))
  },
})

/** The AMQP reply code of an error, or undefined when it has none. */
export function replyCode(error: unknown): number | undefined {
  const { code, serverCode } = (error ?? {}) as { code?: unknown; serverCode?: unknown }
  if (typeof code === 'number') return code
  return typeof serverCode === 'number' ? serverCode : undefined
}

// The broker ends the connection with these codes because of a frame: frame-error, syntax-error, command-invalid,
// channel-error, unexpected-frame, not-allowed, not-implemented. internal-error may pass: a queue without a leader; or may
// not: from 4.3 on, a queue that is neither durable nor exclusive.
const endedByRequest: readonly number[] = [501, 502, 503, 504, 505, 530, 540]
const internalError = 541

/** Whether the broker ended a connection because of one request, and whether that request may pass later. */
export function requestAtFault(error: Error): 'final' | 'later' | undefined {
  const code = replyCode(error)
  if (code === internalError) return 'later'
  return code !== undefined && endedByRequest.includes(code) ? 'final' : undefined
}
