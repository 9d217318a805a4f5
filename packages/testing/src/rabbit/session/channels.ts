import { MalformedMessage } from '../../server/byte-cursor.ts'
import { AmqpException, connectionException, internalException } from '../broker/exceptions.ts'
import type { PublishAct } from '../rules.ts'
import type { Frame } from '../wire/frames.ts'
import { type Fields, idsOf, type Method, type MethodName } from '../wire/methods.ts'
import { Channel, type ConnectionContext } from './channel.ts'
import {
  ack,
  cancel,
  consume,
  get,
  nack,
  publish,
  recover,
  recoverAsync,
  reject,
  selectConfirms,
  setPrefetch,
} from './commands/basic.ts'
import { bindExchange, declareExchange, deleteExchange, unbindExchange } from './commands/exchange.ts'
import { bindQueue, declareQueue, deleteQueue, purgeQueue, unbindQueue } from './commands/queue.ts'
import {
  assemble,
  type ChannelCommand,
  type CommandAssembly,
  type Content,
  emptyAssembly,
} from './content.ts'

/** What the channels of a connection have in common. */
interface ChannelsDeps {
  readonly context: ConnectionContext
  readonly channelMax: number
  readonly send: (channel: number, method: Method, content?: Content) => void
  readonly closeConnection: (exception: AmqpException, failingMethod: MethodName | undefined) => void
}

type ChannelSlot =
  | { readonly kind: 'open'; readonly channel: Channel; readonly assembly: CommandAssembly }
  /** The server has closed it and waits for channel.close-ok. */
  | { readonly kind: 'closing' }

/** The channels of one connection. A channel exception closes its channel, a connection exception the connection. */
export class Channels {
  readonly #deps: ChannelsDeps
  readonly #slots = new Map<number, ChannelSlot>()

  constructor(deps: ChannelsDeps) {
    this.#deps = deps
  }

  get count(): number {
    return this.#slots.size
  }

  /** Handles a frame of a channel. */
  accept(frame: Frame, act: PublishAct | undefined): void {
    const slot = this.#slots.get(frame.channel)
    try {
      if (slot === undefined) this.#whileAbsent(frame)
      else if (slot.kind === 'closing') this.#whileClosing(frame)
      else this.#whileOpen(slot, frame, act)
    } catch (error) {
      if (error instanceof MalformedMessage) {
        this.#deps.closeConnection(internalException, undefined)
        return
      }
      if (!(error instanceof AmqpException)) throw error
      const failingMethod = failingMethodOf(slot, frame)
      if (error.scope === 'channel') this.closeWith(frame.channel, error, failingMethod)
      else this.#deps.closeConnection(error, failingMethod)
    }
  }

  /** Closes a channel from the server's side. */
  closeWith(number: number, exception: AmqpException, failingMethod: MethodName | undefined): void {
    const slot = this.#slots.get(number)
    this.#slots.set(number, { kind: 'closing' })
    if (slot?.kind === 'open') slot.channel.end()
    const { replyCode, replyText } = exception
    this.#deps.send(number, {
      name: 'channel.close',
      fields: { replyCode, replyText, ...failingMethodIds(failingMethod) },
    })
  }

  /** Closes all channels. No message is delivered from one to another that closes with it. */
  end(): void {
    const open = [...this.#slots.values()].flatMap((slot) => (slot.kind === 'open' ? [slot.channel] : []))
    this.#slots.clear()
    for (const channel of open) channel.detachConsumers()
    for (const channel of open) channel.end()
  }

  #whileAbsent(frame: Frame): void {
    if (nameOf(frame) !== 'channel.open')
      throw connectionException('CHANNEL_ERROR', "expected 'channel.open'")
    const { channelMax, closeConnection } = this.#deps
    if (this.count >= channelMax) {
      const text = `number of channels opened (${this.count}) has reached the negotiated channel_max (${channelMax})`
      closeConnection(connectionException('NOT_ALLOWED', text), undefined)
      return
    }
    const channel = new Channel({
      context: this.#deps.context,
      number: frame.channel,
      send: (method, content) => this.#deps.send(frame.channel, method, content),
      closeWith: (exception) => this.closeWith(frame.channel, exception, undefined),
    })
    this.#slots.set(frame.channel, { kind: 'open', channel, assembly: emptyAssembly })
    this.#deps.send(frame.channel, { name: 'channel.open-ok', fields: { channelId: '' } })
  }

  #whileClosing(frame: Frame): void {
    const name = nameOf(frame)
    if (name === 'channel.open') throw connectionException('CHANNEL_ERROR', "second 'channel.open' seen")
    if (name === 'channel.close-ok') this.#slots.delete(frame.channel)
    if (name === 'channel.close') this.#deps.send(frame.channel, { name: 'channel.close-ok', fields: {} })
  }

  #whileOpen(slot: Extract<ChannelSlot, { kind: 'open' }>, frame: Frame, act: PublishAct | undefined): void {
    const { channel, assembly } = slot
    const { next, command } = assemble(assembly, frame, act)
    this.#slots.set(frame.channel, { kind: 'open', channel, assembly: next })
    if (command === undefined) return
    if (command.method.name === 'channel.open')
      throw connectionException('CHANNEL_ERROR', "second 'channel.open' seen")
    if (command.method.name === 'channel.close') this.#close(frame.channel, channel)
    else runCommand(channel, command)
  }

  #close(number: number, channel: Channel): void {
    this.#slots.delete(number)
    channel.end()
    this.#deps.send(number, { name: 'channel.close-ok', fields: {} })
  }
}

/** The ids of the failing method in a close method; zeros when there is none. */
export function failingMethodIds(failingMethod: MethodName | undefined): {
  readonly classId: number
  readonly methodId: number
} {
  if (failingMethod === undefined) return { classId: 0, methodId: 0 }
  const { classId, methodId } = idsOf(failingMethod)
  return { classId, methodId }
}

// The failing method of an invalid message is the publish that began it.
function failingMethodOf(slot: ChannelSlot | undefined, frame: Frame): MethodName | undefined {
  return slot?.kind === 'open' && slot.assembly.kind !== 'method' ? 'basic.publish' : nameOf(frame)
}

function nameOf(frame: Frame): MethodName | undefined {
  return frame.kind === 'method' ? frame.method.name : undefined
}

type Commands = { readonly [N in MethodName]?: (channel: Channel, fields: Fields<N>) => void }

const commands: Commands = {
  'channel.flow': setFlow,
  'exchange.declare': declareExchange,
  'exchange.delete': deleteExchange,
  'exchange.bind': bindExchange,
  'exchange.unbind': unbindExchange,
  'queue.declare': declareQueue,
  'queue.delete': deleteQueue,
  'queue.purge': purgeQueue,
  'queue.bind': bindQueue,
  'queue.unbind': unbindQueue,
  'basic.qos': setPrefetch,
  'basic.consume': consume,
  'basic.cancel': cancel,
  'basic.get': get,
  'basic.ack': ack,
  'basic.nack': nack,
  'basic.reject': reject,
  'basic.recover': recover,
  'basic.recover-async': recoverAsync,
  'confirm.select': selectConfirms,
}

/** Executes a command on a channel; throws an {@link AmqpException} when it is not allowed. */
function runCommand(channel: Channel, command: ChannelCommand): void {
  if (command.kind === 'publish') publish(channel, command.method.fields, command.content, command.act)
  else runPlain(channel, command.method)
}

function runPlain<N extends MethodName>(
  channel: Channel,
  method: { readonly name: N; readonly fields: Fields<N> },
): void {
  const command: Commands[N] = commands[method.name]
  if (command === undefined) throw connectionException('COMMAND_INVALID', 'unimplemented method')
  command(channel, method.fields)
}

/** `channel.flow`: the server supports only the active state. */
function setFlow(channel: Channel, { active }: Fields<'channel.flow'>): void {
  if (!active) throw connectionException('NOT_IMPLEMENTED', 'active=false')
  channel.send({ name: 'channel.flow-ok', fields: { active } })
}
