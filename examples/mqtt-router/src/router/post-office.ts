import type { Message } from '../message.ts'
import type { Mailbox } from './mailbox.ts'
import { Turns } from './turns.ts'

/** Where a message is when it was accepted. */
export type Fate = 'delivered' | 'in-mailbox'

export interface PostOfficeParts {
  readonly mailbox: Mailbox
  /** True when the user says that he has the message; false when he cannot be reached, or has not said so in time. */
  readonly deliver: (user: string, message: Message) => Promise<boolean>
}

/**
 * Brings messages to users, or to their mailboxes. A user's messages go one after the other, and none overtakes what
 * waits in his mailbox: they reach him in the order in which they were sent, copies aside.
 */
export class PostOffice {
  readonly #parts: PostOfficeParts
  readonly #turns = new Turns()
  /** Whose mailboxes are being emptied. */
  readonly #emptying = new Set<string>()

  constructor(parts: PostOfficeParts) {
    this.#parts = parts
  }

  /** Resolves when the user has the message, or it lies in his mailbox. When it rejects, send it again with its id. */
  send(user: string, message: Message): Promise<Fate> {
    const { mailbox, deliver } = this.#parts
    return this.#turns.take(user, async () => {
      const waiting = await mailbox.list(user)
      if (waiting.length === 0 && (await deliver(user, message))) return 'delivered'
      await mailbox.put(user, message)
      return 'in-mailbox'
    })
  }

  /** Brings everybody what waits for him, as far as he can be reached. */
  async makeRound(): Promise<void> {
    const users = await this.#parts.mailbox.users()
    await Promise.all(users.filter((user) => !this.#emptying.has(user)).map((user) => this.#empty(user)))
  }

  async #empty(user: string): Promise<void> {
    this.#emptying.add(user)
    try {
      while (await this.#turns.take(user, () => this.#bringFirst(user)));
    } finally {
      this.#emptying.delete(user)
    }
  }

  async #bringFirst(user: string): Promise<boolean> {
    const { mailbox, deliver } = this.#parts
    const [first] = await mailbox.list(user)
    if (first === undefined || !(await deliver(user, first))) return false
    await mailbox.take(user, first.id)
    return true
  }
}
