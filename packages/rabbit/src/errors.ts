import { type CoreCode, HaError, type HaErrorDetails } from '@ha/core'
import { replyCode } from './driver/error-classification.ts'

/** The codes of this package, in addition to those of core. */
export const rabbitCodes = {
  unroutable: {
    meaning: 'The broker accepted the message, and no queue matched.',
    action:
      'Check exchange, routing key and bindings, or publish with `mandatory: false` where that is fine.',
  },
  'exchange-missing': {
    meaning:
      'The exchange does not exist. With the outcome `unknown`, an earlier attempt may have arrived while it existed.',
    action: 'Declare it in `topology`, or correct the name.',
  },
  'access-refused': {
    meaning: 'The user has no permission for this exchange or queue.',
    action: 'Give the user the permission (`rabbitmqctl set_permissions`), or correct the name.',
  },
  'too-large': {
    meaning:
      'The message is larger than the limit of the broker or of the publish buffer. Nothing was stored.',
    action: 'Send a reference instead of the content, or raise the limit that the error message names.',
  },
  nacked: {
    meaning:
      'The broker has refused the route for longer than an election takes: its queue is full (`reject-publish`).',
    action:
      'Check the consumers of the queue, and publish again later. Another queue of the route may hold the message.',
  },
  'buffer-full': {
    meaning:
      'The broker accepts messages more slowly than they are published, and the publish buffer is full; or too many requests await a reply.',
    action:
      'Await `publish()` and `request()`, send less, or raise the limit that the message names (`outbox`, `requests`).',
  },
  'queue-missing': {
    meaning: 'The queue does not exist.',
    action:
      'Declare it in `topology`, or find the client that deletes it. The consumer starts as soon as the queue exists.',
  },
  'decode-failed': {
    meaning:
      'The codec of a consumer could not decode a message, or that of a request its reply. By default the message is rejected: dead-lettered where the queue has a target, and dropped otherwise.',
    action:
      'Find its publisher, or set `codec` or `onDecodeError` of the consumer, or `replyCodec` of the request.',
  },
  'request-failed': {
    meaning: 'The handler of a request threw, and its responder replied with the message of that error.',
    action:
      'Read the message. Whether the handler had an effect before it threw is for the application to know.',
  },
  'topology-conflict': {
    meaning:
      'An exchange, queue or binding exists with other properties (406), or the user may not declare it (403).',
    action:
      'Change the declaration to match the broker, or delete the object on the broker. Everything else continues.',
  },
  stalled: {
    meaning:
      'The node is alive but confirms no messages: it is cut off from its cluster, or its queues have no leader.',
    action: 'Nothing: the client tries another node, with a back-off. Check the cluster.',
  },
} as const

export type RabbitCode = CoreCode | keyof typeof rabbitCodes

/** Creates an error of `@ha/rabbit`. */
export function rabbitError(
  code: RabbitCode,
  message: string,
  details?: HaErrorDetails,
): HaError<RabbitCode> {
  return new HaError(code, message, details)
}

/** Creates the error of a declaration that the broker refused. */
export function topologyConflict(key: string, refused: HaError): HaError {
  const { cause } = refused
  const serverCode = replyCode(cause)
  const code =
    serverCode === undefined ? 'topology-conflict' : (refusalCodes(key)[serverCode] ?? 'topology-conflict')
  return rabbitError(code, refused.message.startsWith(key) ? refused.message : `${key}: ${refused.message}`, {
    serverCode,
    cause,
  })
}

// What does not exist is what another service has to declare (`passive`).
function refusalCodes(key: string): Readonly<Record<number, RabbitCode>> {
  if (key.startsWith('exchange ')) return { 403: 'access-refused', 404: 'exchange-missing' }
  return key.startsWith('queue ')
    ? { 403: 'access-refused', 404: 'queue-missing' }
    : { 403: 'access-refused' }
}
