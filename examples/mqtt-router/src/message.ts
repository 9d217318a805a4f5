/** A message for one user. Delivery is at least once: the id identifies duplicates. */
export interface Message {
  readonly id: string
  readonly text: string
}

export function encodeMessage(message: Message): string {
  return JSON.stringify(message)
}

export function decodeMessage(payload: Buffer): Message {
  return JSON.parse(payload.toString()) as Message
}
