import type { HaError, Outcome } from '@ha/core'
import { asError, callOptions, invalidOption, optionChecks } from '@ha/core/driver'
import { type Codec, json } from '../codec.ts'
import type { Delivery } from '../consumer/delivery.ts'
import { rabbitError } from '../errors.ts'
import { codecProblem } from '../options.ts'
import { otherPublishNames, type PublishOptions, publishChecks, shortText } from '../publisher/publisher.ts'

/** Where a request goes: a queue, or an exchange with a routing key. */
export type RequestTarget = string | { readonly exchange?: string; readonly key?: string }

/** The options of one request: those of a publish, with these differences. */
export interface RequestOptions<Q = unknown, A = unknown>
  extends Omit<PublishOptions, 'exchange' | 'key' | 'replyTo' | 'timeoutMs' | 'repeatable'> {
  /**
   * How long the reply may take, in milliseconds. Default 30 000. Unless `expirationMs` is given, the request expires in
   * its queue after this time, so that no responder works for a caller that has left.
   */
  readonly timeoutMs?: number
  /**
   * Whether executing the request twice is harmless. Default false: it is sent once. With true, it is sent again, at
   * most three times, with the same `messageId` when a connection is lost before its confirm or its reply.
   */
  readonly repeatable?: boolean
  /** Encodes the request. Default: JSON. */
  readonly codec?: Codec<Q>
  /** Decodes the reply. Default: `codec`. */
  readonly replyCodec?: Codec<A>
}

/** The reply to a request. */
export type Reply<T> = Pick<
  Delivery<T>,
  | 'body'
  | 'content'
  | 'headers'
  | 'messageId'
  | 'correlationId'
  | 'type'
  | 'contentType'
  | 'contentEncoding'
  | 'timestamp'
  | 'appId'
  | 'userId'
>

/** A request whose arguments are checked. */
export interface RequestMessage<A> {
  readonly exchange: string
  readonly content: Buffer
  /** The options of its publish, apart from those that the reply queue and the deadline determine. */
  readonly properties: PublishOptions
  readonly timeoutMs: number
  readonly repeatable: boolean
  readonly signal: AbortSignal | undefined
  readonly replyCodec: Codec<A>
}

/** The header of a reply that has the message of an error of the handler. */
export const errorHeader = 'x-request-error'

const defaultTimeoutMs = 30_000

/** Checks and encodes a request. Throws `config-invalid`, or `aborted`. */
export function requestMessage<A, Q>(
  target: RequestTarget,
  body: Q,
  options: RequestOptions<Q, A>,
): RequestMessage<A> {
  checkRequestOptions('request', options)
  const { codec = json<Q>(), replyCodec, timeoutMs = defaultTimeoutMs } = options
  const { repeatable = false, signal, ...given } = options
  if (signal?.aborted) throw abortedRequest('the request', signal.reason, 'not-done')
  const { exchange, key } = addressOf(target)
  const { codec: _codec, replyCodec: _replyCodec, ...properties } = given
  return {
    exchange,
    content: contentOf(codec, body),
    properties: {
      ...properties,
      ...{ exchange, key, repeatable },
      contentType: given.contentType ?? codec.contentType,
    },
    timeoutMs,
    repeatable,
    signal,
    // Without codecs, both are JSON, which decodes any type.
    replyCodec: replyCodec ?? (codec as unknown as Codec<A>),
  }
}

export function abortedRequest(text: string, cause: unknown, outcome: Outcome): HaError {
  return rabbitError('aborted', `${text} was aborted by the caller’s signal`, { outcome, cause })
}

const { exchange: _exchange, key: _key, replyTo: _replyTo, ...sharedChecks } = publishChecks

const checkRequestOptions = callOptions<{ [K in keyof RequestOptions]?: unknown }>({
  table: {
    ...sharedChecks,
    timeoutMs: optionChecks.timeoutMs,
    codec: codecProblem,
    replyCodec: codecProblem,
  },
  otherNames: { ...otherPublishNames, idempotent: 'repeatable', deadlineMs: 'timeoutMs' },
  invalid: invalidOption,
})

const checkAddress = callOptions<{ readonly exchange?: string; readonly key?: string }>({
  table: { exchange: shortText, key: shortText },
  otherNames: { routingKey: 'key' },
  invalid: invalidOption,
})

function addressOf(target: RequestTarget): { readonly exchange: string; readonly key: string } {
  const expected = 'expected the name of a queue, or { exchange, key }'
  if (typeof target === 'string') {
    const problem = target === '' ? 'expected the name of a queue' : shortText(target)
    if (problem !== undefined) throw invalidOption('request.target', problem)
    return { exchange: '', key: target }
  }
  if (typeof target !== 'object' || target === null || Array.isArray(target))
    throw invalidOption('request.target', expected)
  checkAddress('request.target', target)
  const { exchange = '', key = '' } = target
  if (exchange === '' && key === '') throw invalidOption('request.target', expected)
  return { exchange, key }
}

function contentOf<Q>(codec: Codec<Q>, body: Q): Buffer {
  let content: unknown
  try {
    content = codec.encode(body)
  } catch (cause) {
    throw rabbitError('config-invalid', `the request cannot be encoded: ${asError(cause).message}`, { cause })
  }
  if (Buffer.isBuffer(content)) return content
  throw rabbitError('config-invalid', `the codec returned no Buffer but ${typeof content}`)
}

/** The reply that a delivery is, to the request that `text` names. Throws `request-failed` or `decode-failed`. */
export function replyOf<A>(delivery: Delivery<Uint8Array>, text: string, codec: Codec<A>): Reply<A> {
  const { content, headers, messageId, correlationId, type, contentType } = delivery
  const { contentEncoding, timestamp, appId, userId } = delivery
  const failure = headers[errorHeader]
  if (typeof failure === 'string')
    throw rabbitError('request-failed', `${text}: its handler failed: ${failure}`, {
      outcome: 'unknown',
      cause: new Error(failure),
    })
  const body = bodyOf(delivery, text, codec)
  return {
    ...{ body, content, headers, messageId, correlationId, type, contentType },
    ...{ contentEncoding, timestamp, appId, userId },
  }
}

// A reply without content and without a type is the reply of a handler that returned nothing.
function bodyOf<A>({ content, contentType }: Delivery<Uint8Array>, text: string, codec: Codec<A>): A {
  try {
    return content.length === 0 && !contentType ? (undefined as A) : codec.decode(content)
  } catch (cause) {
    const message = `${text}: the reply cannot be decoded: ${asError(cause).message}`
    throw rabbitError('decode-failed', message, { outcome: 'done', cause })
  }
}
