/** What became of all messages. */
export interface Tally {
  /** Taken by a router. */
  readonly accepted: number
  /** At their users, each counted once. */
  readonly delivered: number
  readonly inMailboxes: number
  /** Neither at its user nor in his mailbox. */
  readonly lost: number
  /** Came to a user once more, and were dropped by their id. */
  readonly copies: number
  readonly outOfOrder: number
}

interface Counted {
  readonly senders: readonly { readonly accepted: number }[]
  readonly devices: readonly {
    readonly received: number
    readonly copies: number
    readonly outOfOrder: number
  }[]
  /** By user. */
  readonly mailboxes: Readonly<Record<string, number>>
}

/** Counts; to the message only when nothing is under way. */
export function tallyOf({ senders, devices, mailboxes }: Counted): Tally {
  const accepted = sum(senders.map((sender) => sender.accepted))
  const delivered = sum(devices.map((device) => device.received))
  const inMailboxes = sum(Object.values(mailboxes))
  return {
    accepted,
    delivered,
    inMailboxes,
    lost: accepted - delivered - inMailboxes,
    copies: sum(devices.map((device) => device.copies)),
    outOfOrder: sum(devices.map((device) => device.outOfOrder)),
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
