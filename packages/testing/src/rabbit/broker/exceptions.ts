import { type ReplyName, replyCodes } from '../wire/protocol.ts'

// A reply text is a short string, and RabbitMQ marks what it had to cut off.
const maxReplyBytes = 255

/** An exception of the protocol: the server closes the channel or the connection with a code and a text. */
export class AmqpException extends Error {
  override readonly name = 'Refusal'
  readonly scope: 'channel' | 'connection'
  readonly replyCode: number
  readonly replyText: string

  constructor(scope: 'channel' | 'connection', replyCode: number, replyText: string) {
    super(replyText)
    this.scope = scope
    this.replyCode = replyCode
    this.replyText = truncated(replyText)
  }
}

/** RabbitMQ's answer to an internal error: it closes the connection without naming a method. */
export const internalException: AmqpException = new AmqpException(
  'connection',
  replyCodes.INTERNAL_ERROR,
  'INTERNAL_ERROR',
)

/** A {@link AmqpException} that closes the channel. */
export function channelException(name: ReplyName, text: string): AmqpException {
  return new AmqpException('channel', replyCodes[name], `${name} - ${text}`)
}

/** A {@link AmqpException} that closes the connection. */
export function connectionException(name: ReplyName, text: string): AmqpException {
  return new AmqpException('connection', replyCodes[name], `${name} - ${text}`)
}

function truncated(text: string): string {
  const bytes = Buffer.from(text, 'utf8')
  return bytes.length <= maxReplyBytes ? text : `${bytes.toString('utf8', 0, maxReplyBytes - 3)}...`
}
