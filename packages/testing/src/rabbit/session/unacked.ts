import type { Entry } from '../broker/entry.ts'
import type { Queue } from '../broker/queue.ts'
import { channelRefusal } from '../broker/refusal.ts'
import type { Consumer } from './consumer.ts'

/** A message that was delivered and not yet answered. */
export interface Held {
  readonly deliveryTag: number
  readonly queue: Queue
  readonly entry: Entry
  /** Undefined for a message that was got one by one. */
  readonly consumer: Consumer | undefined
  readonly deliveredAtMs: number
}

/** The messages that a channel holds, in the order of their delivery. */
export class Unacked {
  readonly #held = new Map<number, Held>()

  get size(): number {
    return this.#held.size
  }

  get oldest(): Held | undefined {
    return this.#held.values().next().value
  }

  add(held: Held): void {
    this.#held.set(held.deliveryTag, held)
    held.consumer?.hold()
  }

  /** Takes out what an answer is about: one, or all up to it; with `multiple` 0 means all there are. */
  take(deliveryTag: number, isMultiple: boolean): readonly Held[] {
    if (isMultiple && deliveryTag === 0) return this.takeAll()
    const wanted = this.#held.get(deliveryTag)
    if (wanted === undefined)
      throw channelRefusal('PRECONDITION_FAILED', `unknown delivery tag ${deliveryTag}`)
    const taken = isMultiple ? this.#upTo(deliveryTag) : [wanted]
    for (const held of taken) this.#release(held)
    return taken
  }

  takeAll(): readonly Held[] {
    const taken = [...this.#held.values()]
    for (const held of taken) this.#release(held)
    return taken
  }

  #upTo(deliveryTag: number): readonly Held[] {
    const taken: Held[] = []
    for (const held of this.#held.values()) {
      if (held.deliveryTag > deliveryTag) break
      taken.push(held)
    }
    return taken
  }

  #release(held: Held): void {
    this.#held.delete(held.deliveryTag)
    held.consumer?.letGo()
  }
}
