import type { Message } from '../message.ts'

/** Where messages wait for users who cannot be reached: here a file, elsewhere perhaps a table or Redis. */
export interface Mailbox {
  /** Resolves when the message will outlive the machine. A second one with its id changes nothing. */
  put(user: string, message: Message): Promise<void>
  /** Removes a message. When that is lost, the user gets it once more. */
  take(user: string, messageId: string): Promise<void>
  /** What waits for a user, oldest first. */
  list(user: string): Promise<readonly Message[]>
  /** Those for whom something waits. */
  users(): Promise<readonly string[]>
}
