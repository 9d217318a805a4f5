import { isHaError } from '@ha/core'
import { asError, type Emitter } from '@ha/core/driver'
import type { RabbitEvents } from '../client-events.ts'
import { bytes, type Codec, json } from '../codec.ts'
import type { Consumer, Consumers } from '../consumer/consumers.ts'
import type { Delivery, Disposition } from '../consumer/delivery.ts'
import type { ConsumeSettings } from '../consumer/handler-runner.ts'
import { rabbitError } from '../errors.ts'
import { resolvePublisherOptions } from '../options.ts'
import type { Publisher, PublishOptions } from '../publisher/publisher.ts'
import type { Publishers } from '../publisher/publishers.ts'
import { errorHeader } from './request-message.ts'

/**
 * Handles one request. What it returns is the body of the reply; undefined is a reply without content. An error is
 * handled according to `onError` of the responder.
 */
export type RespondHandler<Q, A> = (request: Delivery<Q>) => A | Promise<A>

export interface RespondSettings<Q, A>
  extends Omit<ConsumeSettings<Q>, 'handler' | 'onError' | 'onDecodeError'> {
  readonly handler: RespondHandler<Q, A>
  readonly onError: 'reply' | 'reject' | 'requeue'
  readonly replyCodec: Codec<A>
}

interface ResponderDeps {
  readonly consumers: Consumers
  readonly publishers: Publishers
  readonly events: Emitter<RabbitEvents>
}

type Failure = { readonly kind: 'failure'; readonly error: Error }
type Answer = { readonly kind: 'value'; readonly content: Buffer; readonly contentType: string } | Failure

// How long the reply of a finished handler may take, in milliseconds. Its request holds one place of `prefetch` meanwhile.
const replyTimeoutMs = 30_000
const maxErrorText = 1_024

/** Consumers that reply: they share one publisher. */
export class Responder {
  readonly #deps: ResponderDeps
  #publisher: Publisher<Uint8Array> | undefined

  constructor(deps: ResponderDeps) {
    this.#deps = deps
  }

  respond<Q, A>(settings: RespondSettings<Q, A>): Consumer {
    const { consumers, publishers } = this.#deps
    this.#publisher ??= publishers.createPublisher(resolvePublisherOptions({ codec: bytes() }))
    const publisher = this.#publisher
    return consumers.consume<Q>({
      ...settings,
      onError: settings.onError === 'requeue' ? 'requeue' : 'reject',
      handler: (request) => this.#answer(publisher, settings, request),
      onDecodeError: async (request, error): Promise<Disposition> => {
        await this.#reply(publisher, request, { kind: 'failure', error })
        this.#report(request, error, 'decode', 'reject')
        return 'reject'
      },
    })
  }

  // The reply is confirmed before the request is acknowledged.
  async #answer<Q, A>(
    publisher: Publisher<Uint8Array>,
    { handler, onError, replyCodec }: RespondSettings<Q, A>,
    request: Delivery<Q>,
  ): Promise<Disposition> {
    let answer: Answer
    try {
      answer = answerOf(await handler(request), replyCodec)
    } catch (thrown) {
      // Without its channel, the request is delivered again, and its handler is called once more.
      if (onError === 'requeue' || request.signal.aborted) throw thrown
      answer = { kind: 'failure', error: asError(thrown) }
    }
    await this.#reply(publisher, request, answer)
    if (answer.kind === 'value') return 'ack'
    if (onError !== 'reply') throw answer.error
    this.#report(request, answer.error, 'handler', 'reply')
    return 'ack'
  }

  async #reply(publisher: Publisher<Uint8Array>, request: Delivery<unknown>, answer: Answer): Promise<void> {
    const { replyTo } = request
    if (replyTo === undefined || replyTo === '') return
    try {
      await publishReply(publisher, request, replyTo, answer)
    } catch (thrown) {
      const { queue, messageId, correlationId } = request
      const error = isHaError(thrown)
        ? thrown
        : rabbitError('internal', asError(thrown).message, { cause: thrown })
      this.#deps.events.emit('replyFailed', { queue, messageId, correlationId, replyTo, error })
      // The caller gets a short reply instead of none.
      if (error.code === 'too-large' && answer.kind === 'value')
        await this.#reply(publisher, request, { kind: 'failure', error })
    }
  }

  #report(
    { queue, messageId, attempt }: Delivery<unknown>,
    error: Error,
    stage: 'decode' | 'handler',
    answer: 'reject' | 'reply',
  ): void {
    this.#deps.events.emit('handlerFailed', { queue, messageId, error, stage, attempt, answer, delayMs: 0 })
  }
}

function answerOf<A>(value: A, codec: Codec<A>): Answer {
  if (value === undefined) return { kind: 'value', content: Buffer.alloc(0), contentType: '' }
  let content: unknown
  try {
    content = codec.encode(value)
  } catch (cause) {
    throw rabbitError('config-invalid', `the reply cannot be encoded: ${asError(cause).message}`, { cause })
  }
  if (Buffer.isBuffer(content)) return { kind: 'value', content, contentType: codec.contentType }
  throw rabbitError('config-invalid', `the codec returned no Buffer but ${typeof content}`)
}

// The broker delivers a direct reply without a queue, and would return a mandatory one as unroutable.
const directReplyPrefix = 'amq.rabbitmq.reply-to.'

async function publishReply(
  publisher: Publisher<Uint8Array>,
  { correlationId, messageId, persistent }: Delivery<unknown>,
  replyTo: string,
  answer: Answer,
): Promise<void> {
  const mandatory = !replyTo.startsWith(directReplyPrefix)
  const common: PublishOptions = { key: replyTo, persistent, mandatory, timeoutMs: replyTimeoutMs }
  // Callers without a correlation id recognise the reply by the id of their request.
  const id = correlationId ?? messageId
  const properties = id === undefined ? common : { ...common, correlationId: id }
  if (answer.kind === 'value') {
    await publisher.publish(answer.content, { ...properties, contentType: answer.contentType })
    return
  }
  const error = errorText(answer.error)
  const { encode, contentType } = json<{ readonly error: string }>()
  await publisher.publish(encode({ error }), {
    ...properties,
    contentType,
    headers: { [errorHeader]: error },
  })
}

// The message only: no stack, no cause, no credentials of an address.
function errorText({ message }: Error): string {
  return message.replace(/\/\/[^\s/@]*@/g, '//***@').slice(0, maxErrorText)
}
