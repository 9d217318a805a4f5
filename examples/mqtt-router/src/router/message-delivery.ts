import type { Message } from '../message.ts'
import { KeyedQueue } from './keyed-queue.ts'
import type { Mailbox } from './mailbox.ts'

/** Where an accepted message is. */
export type DeliveryOutcome = 'delivered' | 'in-mailbox'

/** The dependencies of a {@link MessageDelivery}. */
export interface MessageDeliveryDeps {
  readonly mailbox: Mailbox
  /** True when the user confirms the message; false when the user cannot be reached or does not confirm it in time. */
  readonly deliver: (user: string, message: Message) => Promise<boolean>
}

/**
 * Delivers messages to users, or stores them in mailboxes. The messages of one user are delivered one after another, and
 * none overtakes a message in the mailbox: apart from duplicates, they arrive in the order in which they were sent.
 */
export class MessageDelivery {
  readonly #deps: MessageDeliveryDeps
  readonly #queue = new KeyedQueue()
  /** The users whose mailboxes are being drained. */
  readonly #draining = new Set<string>()

  constructor(deps: MessageDeliveryDeps) {
    this.#deps = deps
  }

  /** Resolves when the user or the mailbox has the message. When it rejects, send the message again with the same id. */
  send(user: string, message: Message): Promise<DeliveryOutcome> {
    const { mailbox, deliver } = this.#deps
    return this.#queue.run(user, async () => {
      const waiting = await mailbox.list(user)
      if (waiting.length === 0 && (await deliver(user, message))) return 'delivered'
      await mailbox.put(user, message)
      return 'in-mailbox'
    })
  }

  /** Delivers the waiting messages of all users who can be reached. */
  async deliverWaiting(): Promise<void> {
    const users = await this.#deps.mailbox.users()
    await Promise.all(
      users.filter((user) => !this.#draining.has(user)).map((user) => this.#drainMailbox(user)),
    )
  }

  async #drainMailbox(user: string): Promise<void> {
    this.#draining.add(user)
    try {
      while (await this.#queue.run(user, () => this.#deliverFirst(user)));
    } finally {
      this.#draining.delete(user)
    }
  }

  async #deliverFirst(user: string): Promise<boolean> {
    const { mailbox, deliver } = this.#deps
    const [first] = await mailbox.list(user)
    if (first === undefined || !(await deliver(user, first))) return false
    await mailbox.take(user, first.id)
    return true
  }
}
