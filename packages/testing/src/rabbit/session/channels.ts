import { MalformedMessage } from '../../server/byte-cursor.ts'
import { connectionRefusal, internalError, Refusal } from '../broker/refusal.ts'
import type { PublishAct } from '../script/rule.ts'
import type { Frame } from '../wire/frame.ts'
import { idsOf, type Method } from '../wire/method.ts'
import type { MethodName } from '../wire/method-table.ts'
import { type Assembly, assemble, type Content, nothingYet } from './assembly.ts'
import { Channel, type ChannelEnds } from './channel.ts'
import { runCommand } from './commands/run-command.ts'

/** What the channels of a connection have in common. */
export interface ChannelsEnds extends Omit<ChannelEnds, 'number' | 'send' | 'refuse'> {
  readonly channelMax: number
  readonly send: (channel: number, method: Method, content?: Content) => void
  readonly refuseConnection: (refusal: Refusal, culprit: MethodName | undefined) => void
}

type Slot =
  | { readonly kind: 'open'; readonly channel: Channel; readonly assembly: Assembly }
  /** The server has closed it and waits for the client to say that it knows. */
  | { readonly kind: 'closing' }

/** The channels of one connection. A refusal closes the channel that earned it, a graver one the connection. */
export class Channels {
  readonly #ends: ChannelsEnds
  readonly #slots = new Map<number, Slot>()

  constructor(ends: ChannelsEnds) {
    this.#ends = ends
  }

  get count(): number {
    return this.#slots.size
  }

  /** Takes a frame of a channel. */
  accept(frame: Frame, act: PublishAct | undefined): void {
    const slot = this.#slots.get(frame.channel)
    try {
      if (slot === undefined) this.#whileAbsent(frame)
      else if (slot.kind === 'closing') this.#whileClosing(frame)
      else this.#whileOpen(slot, frame, act)
    } catch (error) {
      if (error instanceof MalformedMessage) {
        this.#ends.refuseConnection(internalError, undefined)
        return
      }
      if (!(error instanceof Refusal)) throw error
      const culprit = culpritOf(slot, frame)
      if (error.scope === 'channel') this.refuse(frame.channel, error, culprit)
      else this.#ends.refuseConnection(error, culprit)
    }
  }

  /** Closes a channel from the server's side. */
  refuse(number: number, refusal: Refusal, culprit: MethodName | undefined): void {
    const slot = this.#slots.get(number)
    this.#slots.set(number, { kind: 'closing' })
    if (slot?.kind === 'open') slot.channel.end()
    const { replyCode, replyText } = refusal
    this.#ends.send(number, {
      name: 'channel.close',
      fields: { replyCode, replyText, ...culpritIds(culprit) },
    })
  }

  /** Ends all channels. No message goes from one to another that dies with it. */
  end(): void {
    const open = [...this.#slots.values()].flatMap((slot) => (slot.kind === 'open' ? [slot.channel] : []))
    this.#slots.clear()
    for (const channel of open) channel.leave()
    for (const channel of open) channel.end()
  }

  #whileAbsent(frame: Frame): void {
    if (nameOf(frame) !== 'channel.open') throw connectionRefusal('CHANNEL_ERROR', "expected 'channel.open'")
    const { channelMax, refuseConnection } = this.#ends
    if (this.count >= channelMax) {
      const text = `number of channels opened (${this.count}) has reached the negotiated channel_max (${channelMax})`
      refuseConnection(connectionRefusal('NOT_ALLOWED', text), undefined)
      return
    }
    const channel = new Channel({
      ...this.#ends,
      number: frame.channel,
      send: (method, content) => this.#ends.send(frame.channel, method, content),
      refuse: (refusal) => this.refuse(frame.channel, refusal, undefined),
    })
    this.#slots.set(frame.channel, { kind: 'open', channel, assembly: nothingYet })
    this.#ends.send(frame.channel, { name: 'channel.open-ok', fields: { channelId: '' } })
  }

  #whileClosing(frame: Frame): void {
    const name = nameOf(frame)
    if (name === 'channel.open') throw connectionRefusal('CHANNEL_ERROR', "second 'channel.open' seen")
    if (name === 'channel.close-ok') this.#slots.delete(frame.channel)
    if (name === 'channel.close') this.#ends.send(frame.channel, { name: 'channel.close-ok', fields: {} })
  }

  #whileOpen(slot: Extract<Slot, { kind: 'open' }>, frame: Frame, act: PublishAct | undefined): void {
    const { channel, assembly } = slot
    const { next, command } = assemble(assembly, frame, act)
    this.#slots.set(frame.channel, { kind: 'open', channel, assembly: next })
    if (command === undefined) return
    if (command.method.name === 'channel.open')
      throw connectionRefusal('CHANNEL_ERROR', "second 'channel.open' seen")
    if (command.method.name === 'channel.close') this.#close(frame.channel, channel)
    else runCommand(channel, command)
  }

  #close(number: number, channel: Channel): void {
    this.#slots.delete(number)
    channel.end()
    this.#ends.send(number, { name: 'channel.close-ok', fields: {} })
  }
}

/** The ids of the method that a close blames; zeros when it blames none. */
export function culpritIds(culprit: MethodName | undefined): {
  readonly classId: number
  readonly methodId: number
} {
  if (culprit === undefined) return { classId: 0, methodId: 0 }
  const { classId, methodId } = idsOf(culprit)
  return { classId, methodId }
}

// Whatever is wrong with a message is the fault of the publish that began it.
function culpritOf(slot: Slot | undefined, frame: Frame): MethodName | undefined {
  return slot?.kind === 'open' && slot.assembly.kind !== 'method' ? 'basic.publish' : nameOf(frame)
}

function nameOf(frame: Frame): MethodName | undefined {
  return frame.kind === 'method' ? frame.method.name : undefined
}
