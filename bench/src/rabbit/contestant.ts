/** What every contestant is given. */
export interface ContestantSetup {
  /** `host:port` of each node, in the order in which they are to be tried. */
  readonly endpoints: readonly string[]
  /** A durable queue that exists; published to through the default exchange. */
  readonly queue: string
  /** What a consumer of that queue has to say to be told when the queue moves. */
  readonly consumeArguments: Readonly<Record<string, unknown>>
  /** How long a client waits before it connects again, where it can be told. */
  readonly retryMs: number
  readonly onMessage: (content: Buffer, redelivered: boolean) => void
  /** Anything worth a line in the report. */
  readonly onNote: (note: string) => void
}

/**
 * The shortest heartbeat that RabbitMQ's guide does not warn of: below five seconds it calls false alarms likely.
 * Where the server proposes less, clients on amqplib take that.
 */
export const heartbeatSec = 5

/** How a publish ended, in the words that all contestants share. */
export type PublishResult =
  | { readonly outcome: 'confirmed'; readonly maybeDuplicate: boolean }
  | { readonly outcome: 'not-done' | 'unknown'; readonly error: string }

/** A client under test: publishes with confirms to one queue and consumes it. */
export interface Contestant {
  publish(content: Buffer): Promise<PublishResult>
  close(): Promise<void>
}

/** A client library with its documented settings for fast recovery. */
export interface ContestantMaker {
  readonly name: string
  /** Which settings, for the report. */
  readonly settings: (retryMs: number) => string
  start(setup: ContestantSetup): Promise<Contestant>
}

/** A rejection of a client that does not say what happened: nobody knows. */
export function unknownResult(error: unknown): PublishResult {
  return { outcome: 'unknown', error: error instanceof Error ? error.message : String(error) }
}
