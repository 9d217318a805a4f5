/** What an event says. */
export type EventFacts = Readonly<Record<string, string | number | boolean | undefined>>

/** An event of a client, and when it came, in milliseconds since 1970. */
export interface ClientEvent {
  readonly atMs: number
  readonly name: string
  readonly facts: EventFacts
}
