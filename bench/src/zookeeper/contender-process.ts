import { setTimeout as sleep } from 'node:timers/promises'
import { createZookeeper, type Lease, type Lock, ZookeeperError } from '@ha/zookeeper'
import { wallMs } from '../harness/timing.ts'
import { type ClientEvent, runAsWorker } from '../harness/worker.ts'
import { forwardEvents } from './clients.ts'
import { StoreClient } from './fenced-store.ts'
import type {
  ContenderCount,
  ContenderOutcome,
  ContenderSetup,
  LeaseRecord,
  ThawRecord,
} from './recipe-clients.ts'

// Entry point of a process that contends for the lock.

runAsWorker<ContenderSetup, ContenderCount, ContenderOutcome>(
  async ({ name, connect, sessionTimeoutMs, lock, storePort, holdMs }) => {
    const events: ClientEvent[] = []
    const zookeeper = createZookeeper({ connect, sessionTimeoutMs })
    forwardEvents(zookeeper, (event, facts) => events.push({ atMs: wallMs(), name: event, facts }))
    await zookeeper.ready()
    const store = await StoreClient.dial(storePort, name)
    const contender = new Contender(name, { lock: zookeeper.lock(lock), store, holdMs })
    const running = contender.run()
    return {
      count: () => ({ acquired: contender.acquired }),
      async finish() {
        contender.stop()
        await running
        return { ...contender.outcome, events }
      },
      async close() {
        store.close()
        await zookeeper.close()
      },
    }
  },
)

// What a message to the store may take on a machine with two busy processors.
const marginMs = 250
const writeEveryMs = 20
// Longer than any other contender holds the lock.
const timeoutAfterMs = 30_000
const pauseMs = 50

/** Takes a lock again and again, and writes to the store while it holds it. */
class Contender {
  readonly #by: string
  readonly #lock: Lock
  readonly #store: StoreClient
  readonly #holdMs: number
  readonly #stopping = new AbortController()
  readonly #holds: LeaseRecord[] = []
  readonly #thaws: ThawRecord[] = []
  readonly #refusals: Record<string, number> = {}

  constructor(
    by: string,
    { lock, store, holdMs }: { readonly lock: Lock; readonly store: StoreClient; readonly holdMs: number },
  ) {
    this.#by = by
    this.#holdMs = holdMs
    this.#lock = lock
    this.#store = store
  }

  get acquired(): number {
    return this.#holds.length
  }

  get outcome(): Omit<ContenderOutcome, 'events'> {
    return { holds: this.#holds, thaws: this.#thaws, refusals: this.#refusals }
  }

  stop(): void {
    this.#stopping.abort()
  }

  /** Resolves when it is to stop and holds nothing any more. */
  async run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        const lease = await this.#lock.acquire({ timeoutMs: timeoutAfterMs, signal })
        await this.#hold(lease)
      } catch (error) {
        const code = error instanceof ZookeeperError ? error.code : String(error)
        if (!signal.aborted) this.#refusals[code] = (this.#refusals[code] ?? 0) + 1
      }
      await sleep(pauseMs)
    }
  }

  async #hold(lease: Lease): Promise<void> {
    const fromMs = wallMs()
    if (!lease.valid()) return
    const at = this.#holds.length
    this.#holds.push({
      by: this.#by,
      token: lease.token,
      fromMs,
      validUntilMs: fromMs,
      endedAtMs: undefined,
    })
    const note = (more: Partial<LeaseRecord>): void => {
      const before = this.#holds[at]
      if (before !== undefined) this.#holds[at] = { ...before, ...more }
    }
    const onOver = (): void => note({ endedAtMs: wallMs() })
    lease.signal.addEventListener('abort', onOver, { once: true })
    const isWanted = (): boolean => wallMs() < fromMs + this.#holdMs && !this.#stopping.signal.aborted
    while (isWanted() && this.#isValid(lease, note)) {
      await this.#write(lease)
      await sleep(writeEveryMs)
    }
    this.#isValid(lease, note)
    await this.#writeStale(at)
    lease.signal.removeEventListener('abort', onOver)
    if (!lease.signal.aborted) onOver()
    await lease.release()
  }

  // The time is taken before the question: what was valid when it was answered was valid then.
  #isValid(lease: Lease, note: (more: Partial<LeaseRecord>) => void): boolean {
    const nowMs = wallMs()
    const isValid = lease.valid()
    if (isValid) note({ validUntilMs: nowMs })
    return isValid
  }

  async #write(lease: Lease): Promise<void> {
    if (!lease.valid(marginMs)) return
    const { freeze } = await this.#store.write(lease.token, true)
    if (freeze) this.#thaws.push(freezeMyself(lease))
  }

  // With a token that must be too old by now: this contender has written with a later one.
  async #writeStale(at: number): Promise<void> {
    const before = this.#holds[at - 1]
    if (before !== undefined) await this.#store.write(before.token, false)
  }
}

// Nothing runs between the moment at which the process is awake again and the question.
function freezeMyself(lease: Lease): ThawRecord {
  const fromMs = wallMs()
  process.kill(process.pid, 'SIGSTOP')
  const wasValid = lease.valid()
  return { frozenMs: wallMs() - fromMs, wasValid }
}
