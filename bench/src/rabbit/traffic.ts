import { setTimeout as sleep } from 'node:timers/promises'
import type { LiveRow } from '../harness/live-table.ts'
import { Pace, wallMs } from '../harness/timing.ts'
import { type Note, startWorker, type Worker } from '../harness/worker.ts'
import type { PublishResult } from './clients.ts'
import type { Consumed, MessageLog, Sent } from './message-log.ts'

// Small enough to be typical, large enough to be a message.
const contentBytes = 256

/** The bytes of one numbered message. */
function contentOf(id: number): Buffer {
  const content = Buffer.alloc(contentBytes)
  content.writeUInt32BE(id)
  return content
}

/** The number of a message. */
export function messageIdOf(content: Buffer): number {
  return content.readUInt32BE()
}

/** The message of the baseline probe; it is not counted. */
export const probeContent: Buffer = contentOf(0xff_ff_ff_ff)

/** Whether a message is a probe's. */
export function isProbe(content: Buffer): boolean {
  return content.equals(probeContent)
}

/** How far the traffic is. */
export interface TrafficCount {
  readonly sent: number
  readonly confirmed: number
  readonly rejected: number
  readonly consumed: number
}

/** Publishes numbered messages at a steady rate and records the outcome of each. */
export class Traffic {
  readonly #publish: (content: Buffer) => Promise<PublishResult>
  readonly #pace: Pace
  readonly #sent: Sent[] = []
  readonly #consumed: Consumed[] = []
  readonly #seen = new Set<number>()
  #confirmed = 0
  #rejected = 0

  constructor(publish: (content: Buffer) => Promise<PublishResult>, ratePerSecond: number) {
    this.#publish = publish
    this.#pace = new Pace(ratePerSecond, () => this.#sendOne())
  }

  get count(): TrafficCount {
    const [sent, confirmed, rejected] = [this.#sent.length, this.#confirmed, this.#rejected]
    return { sent, confirmed, rejected, consumed: this.#consumed.length }
  }

  start(): void {
    this.#pace.start()
  }

  stop(): void {
    this.#pace.stop()
  }

  /** To be called with each message that the consumer sees. */
  consume(content: Buffer, redelivered: boolean): void {
    if (isProbe(content)) return
    const id = messageIdOf(content)
    this.#seen.add(id)
    this.#consumed.push({ id, atMs: wallMs(), redelivered })
  }

  /** Waits until every publish has settled and everything confirmed was consumed, or `timeoutMs` have passed. */
  async settled(timeoutMs: number): Promise<void> {
    const untilMs = wallMs() + timeoutMs
    while (wallMs() < untilMs && !this.#complete()) await sleep(50)
    // Late copies show themselves in this time.
    await sleep(500)
  }

  log(): MessageLog {
    return { sent: this.#sent, consumed: this.#consumed }
  }

  #complete(): boolean {
    if (this.#confirmed + this.#rejected < this.#sent.length) return false
    return this.#sent.every(({ id, outcome }) => outcome !== 'confirmed' || this.#seen.has(id))
  }

  #sendOne(): void {
    const id = this.#sent.length
    const open: Sent = {
      id,
      sentAtMs: wallMs(),
      settledAtMs: undefined,
      outcome: 'unsettled',
      maybeDuplicate: false,
      error: undefined,
    }
    this.#sent.push(open)
    void this.#publish(contentOf(id)).then((result) => {
      const { outcome } = result
      if (outcome === 'confirmed') this.#confirmed += 1
      else this.#rejected += 1
      const maybeDuplicate = outcome === 'confirmed' && result.maybeDuplicate
      const error = outcome === 'confirmed' ? undefined : result.error
      this.#sent[id] = { ...open, settledAtMs: wallMs(), outcome, maybeDuplicate, error }
    })
  }
}

/** Which client runs against what, at which rates. */
export interface ClientRunSetup {
  readonly client: string
  readonly endpoints: readonly string[]
  readonly queue: string
  readonly consumeArguments: Readonly<Record<string, unknown>>
  readonly ratePerSecond: number
  readonly retryMs: number
}

/** The log of a client under test, from the first message to the last. */
export interface ClientRunResult {
  readonly log: MessageLog
  readonly notes: readonly Note[]
}

/** A client under test, in its own process. */
export type ClientRun = Worker<TrafficCount, ClientRunResult>

const clientProgram = new URL('./client-process.js', import.meta.url)

/** Starts a client and waits until it publishes and consumes. */
export function runClient(setup: ClientRunSetup): Promise<ClientRun> {
  return startWorker(setup.client, clientProgram, setup)
}

/** The progress of a client. */
export function progressOf(run: ClientRun): TrafficCount {
  return run.count() ?? { sent: 0, confirmed: 0, rejected: 0, consumed: 0 }
}

/** A client as a row of the live table. */
export function liveRow(run: ClientRun): LiveRow {
  return { name: run.name, alive: 'confirmed', counters: () => Object.entries(progressOf(run)) }
}
