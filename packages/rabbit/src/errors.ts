import { type CoreCode, HaError, type HaErrorDetails } from '@ha/core'
import { replyCode } from './driver/error-classification.ts'

/** The codes that only RabbitMQ has, beside those of the core. */
export const rabbitCodes = {
  unroutable: {
    meaning: 'The broker took the message and found no queue for it.',
    action:
      'Check exchange, routing key and bindings, or publish with `mandatory: false` where that is fine.',
  },
  'exchange-missing': {
    meaning:
      'The exchange does not exist. With `unknown` as outcome, the message may have arrived while it still did.',
    action: 'Declare it in `topology`, or correct the name.',
  },
  'access-refused': {
    meaning: 'The user may not do this to that exchange or queue.',
    action: 'Give the user the permission (`rabbitmqctl set_permissions`), or correct the name.',
  },
  'too-large': {
    meaning: 'The message is larger than the broker, or the outbox, takes. Nothing was stored.',
    action: 'Send a reference instead of the content, or raise the limit that the message names.',
  },
  nacked: {
    meaning:
      'The broker has refused the route for longer than an election takes: its queue is full (`reject-publish`).',
    action: 'See who consumes the queue, and publish again later. Another queue of the route may hold it.',
  },
  'buffer-full': {
    meaning: 'The broker takes messages more slowly than they are published, and the outbox is at its bound.',
    action: 'Await `publish()`, publish less, or raise `outbox.maxMessages` and `outbox.maxBytes`.',
  },
  'queue-missing': {
    meaning: 'The queue does not exist (any more).',
    action:
      'Declare it in `topology`, or see who deletes it. The consumer begins by itself when it is there.',
  },
  'topology-conflict': {
    meaning: 'An exchange, queue or binding exists with other properties (406), or may not be made (403).',
    action: 'Make the declaration equal to what exists, or delete what exists. Everything else goes on.',
  },
  stalled: {
    meaning:
      'The node answers, yet nothing published is confirmed: cut off from its cluster, or its queues have no leader.',
    action: 'Nothing: the client tries another node, once per back-off. Look at the cluster.',
  },
} as const

export type RabbitCode = CoreCode | keyof typeof rabbitCodes

/** An error of `@ha/rabbit`. */
export function rabbitError(
  code: RabbitCode,
  message: string,
  details?: HaErrorDetails,
): HaError<RabbitCode> {
  return new HaError(code, message, details)
}

/** The error of a declaration that the broker refused for good. */
export function topologyConflict(key: string, refused: HaError): HaError {
  const { cause } = refused
  const serverCode = replyCode(cause)
  const code = serverCode === 403 ? 'access-refused' : 'topology-conflict'
  return rabbitError(code, refused.message.startsWith(key) ? refused.message : `${key}: ${refused.message}`, {
    serverCode,
    cause,
  })
}
