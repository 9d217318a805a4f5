/** The number of messages by where they are. */
export interface DeliveryCounts {
  /** Accepted by a router. */
  readonly accepted: number
  /** Received by users, each counted once. */
  readonly delivered: number
  readonly inMailboxes: number
  /** Neither received by the user nor in the mailbox. */
  readonly lost: number
  /** Received again, and dropped by their id. */
  readonly duplicates: number
  readonly outOfOrder: number
}

interface CountedParts {
  readonly senders: readonly { readonly accepted: number }[]
  readonly devices: readonly {
    readonly received: number
    readonly duplicates: number
    readonly outOfOrder: number
  }[]
  /** By user. */
  readonly mailboxes: Readonly<Record<string, number>>
}

/** Counts the messages. The counts are exact only while no message is in flight. */
export function countDeliveries({ senders, devices, mailboxes }: CountedParts): DeliveryCounts {
  const accepted = sum(senders.map((sender) => sender.accepted))
  const delivered = sum(devices.map((device) => device.received))
  const inMailboxes = sum(Object.values(mailboxes))
  return {
    accepted,
    delivered,
    inMailboxes,
    lost: accepted - delivered - inMailboxes,
    duplicates: sum(devices.map((device) => device.duplicates)),
    outOfOrder: sum(devices.map((device) => device.outOfOrder)),
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
