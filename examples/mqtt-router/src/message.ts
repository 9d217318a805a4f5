/** A message for one user. It may reach him twice; the id is what tells the second copy from the first. */
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
