import type { ConfirmBatch, PublishAct } from '../script/rule.ts'
import type { MethodOf } from '../wire/method.ts'

type Confirm = MethodOf<'basic.ack' | 'basic.nack'>

/** How a message came out. */
export type Verdict = 'ack' | 'nack'

/** Counts the messages of a channel in confirm mode and says how each came out, one frame for each unless a rule says otherwise. */
export class Confirms {
  readonly #send: (confirm: Confirm) => void
  #published = 0
  #batch: readonly { readonly tag: number; readonly verdict: Verdict }[] = []

  constructor(send: (confirm: Confirm) => void) {
    this.#send = send
  }

  /** Counts one more message and confirms it. */
  settle(verdict: Verdict, act: PublishAct | undefined): void {
    this.#published += 1
    const tag = this.#published
    if (act?.do === 'lose-confirm') return
    if (act?.do !== 'batch-confirms') {
      this.#send(confirmOf(verdict, tag, false))
      return
    }
    this.#batch = [...this.#batch, { tag, verdict }]
    if (this.#batch.length >= act.size) this.#flush(act.as)
  }

  #flush(as: ConfirmBatch): void {
    const batch = as === 'reversed' ? [...this.#batch].reverse() : this.#batch
    this.#batch = []
    const last = batch.at(-1)
    if (as === 'multiple' && last !== undefined) this.#send(confirmOf(last.verdict, last.tag, true))
    else for (const { tag, verdict } of batch) this.#send(confirmOf(verdict, tag, false))
  }
}

function confirmOf(verdict: Verdict, deliveryTag: number, multiple: boolean): Confirm {
  if (verdict === 'ack') return { name: 'basic.ack', fields: { deliveryTag, multiple } }
  return { name: 'basic.nack', fields: { deliveryTag, multiple, requeue: false } }
}
