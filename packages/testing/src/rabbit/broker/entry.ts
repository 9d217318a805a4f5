import type { Message } from './message.ts'

/** A message in a queue. */
export interface Entry {
  readonly message: Message
  /** Its place in the queue: counts the messages that were ever added. */
  readonly sequence: number
  /** How often it was taken and came back. */
  readonly returns: number
  readonly expiresAtMs: number
}

/** Why a message is dead, in the words of the `x-death` header. */
export type DeathReason = 'rejected' | 'expired' | 'maxlen' | 'delivery_limit'
