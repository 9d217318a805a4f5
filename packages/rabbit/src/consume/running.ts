import type { GuardedChannel } from '../amqp/channel.ts'
import type { Channel, ConsumeMessage } from '../amqp/types.ts'
import type { Disposition } from './delivery.ts'

/** A message and the channel that it came on: the only one on which it can be answered. */
export interface Handout {
  readonly message: ConsumeMessage
  readonly guard: GuardedChannel<Channel>
}

/** Answers a handout on its own channel. False when that channel is gone: nothing was said. */
export function answer({ message, guard }: Handout, disposition: Disposition): boolean {
  if (guard.over.aborted) return false
  try {
    if (disposition === 'ack') guard.channel.ack(message)
    else guard.channel.nack(message, false, disposition === 'requeue')
    return true
  } catch {
    // The driver knows of the end before its event has come: the same as gone.
    return false
  }
}

/** The handlers at work. A message that is handed out again while its handler runs is joined to that run. */
export class RunningHandlers {
  readonly #byId = new Map<string, { latest: Handout }>()
  #count = 0

  get count(): number {
    return this.#count
  }

  /** True when the handler for that message is at work: its answer will go to this handout. */
  join(messageId: string, handout: Handout): boolean {
    const running = this.#byId.get(messageId)
    if (running === undefined) return false
    running.latest = handout
    return true
  }

  /** Runs a handler; `work` may ask for the latest handout of its message at any time. */
  async run(
    messageId: string | undefined,
    handout: Handout,
    work: (latest: () => Handout) => Promise<void>,
  ): Promise<void> {
    const running = { latest: handout }
    if (messageId !== undefined) this.#byId.set(messageId, running)
    this.#count += 1
    try {
      await work(() => running.latest)
    } finally {
      this.#count -= 1
      if (messageId !== undefined && this.#byId.get(messageId) === running) this.#byId.delete(messageId)
    }
  }
}
