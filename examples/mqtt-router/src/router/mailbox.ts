import type { Message } from '../message.ts'

/** Keeps messages for users who cannot be reached. Here it is a file; it can be a database table or Redis as well. */
export interface Mailbox {
  /** Resolves when the message is durable. A second message with the same id changes nothing. */
  put(user: string, message: Message): Promise<void>
  /** Removes a message. If the removal is lost, the user receives the message twice. */
  take(user: string, messageId: string): Promise<void>
  /** The waiting messages of a user, oldest first. */
  list(user: string): Promise<readonly Message[]>
  /** The users with waiting messages. */
  users(): Promise<readonly string[]>
}
