import { createHash } from 'node:crypto'
import type { Clock } from '@ha/core'
import type { ConnectionOrigin } from '../../server/rules.ts'

/** A session as the leader knows it. */
export interface Session {
  readonly id: bigint
  readonly password: Buffer
  /** What was granted last. */
  readonly timeoutMs: number
  /** The number of the node to which it came last. */
  readonly node: number
  /** The number of the connection on which it came last. */
  readonly connection: number
  /** When it ends, by the clock of the ensemble, unless it is heard of before. */
  readonly expiresAtMs: number
}

/** What decides how long sessions live. */
export interface SessionRules {
  readonly clock: Clock
  readonly tickTimeMs: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
}

/** All sessions, and the leader's watch over them. It watches only while it is told to. */
export class Sessions {
  readonly #rules: SessionRules
  readonly #onExpired: (id: bigint) => void
  readonly #byId = new Map<bigint, Session>()
  #made = 0n
  #isWatched = false
  #cancel: (() => void) | undefined

  constructor(rules: SessionRules, onExpired: (id: bigint) => void) {
    this.#rules = rules
    this.#onExpired = onExpired
  }

  all(): readonly Session[] {
    return [...this.#byId.values()]
  }

  find(id: bigint): Session | undefined {
    return this.#byId.get(id)
  }

  open(askedMs: number, at: ConnectionOrigin): Session {
    this.#made += 1n
    const id = (BigInt(at.node) << 56n) | (firstSession + this.#made)
    return this.take({ id, password: passwordOf(id) }, askedMs, at)
  }

  /** A connection, perhaps a new one, has the session. */
  take({ id, password }: Pick<Session, 'id' | 'password'>, askedMs: number, at: ConnectionOrigin): Session {
    const { node, connection } = at
    return this.#renew({ id, password, timeoutMs: this.#granted(askedMs), node, connection })
  }

  /** It was heard of. */
  touch(id: bigint): void {
    const session = this.#byId.get(id)
    if (session !== undefined) this.#renew(session)
  }

  end(id: bigint): void {
    this.#byId.delete(id)
  }

  /** A new leader knows of nobody when they were last heard of: all begin anew. */
  renewAll(): void {
    for (const session of this.all()) this.#renew(session)
  }

  /** Whether somebody watches: without a leader, nobody ends a session. */
  watch(isWatched: boolean): void {
    this.#isWatched = isWatched
    if (isWatched) this.#expire()
    else this.#schedule()
  }

  #granted(askedMs: number): number {
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#rules
    return Math.min(Math.max(askedMs, minSessionTimeoutMs), maxSessionTimeoutMs)
  }

  // The leader looks once a tick: a session ends at the first tick behind its time.
  #renew(session: Omit<Session, 'expiresAtMs'>): Session {
    const { clock, tickTimeMs } = this.#rules
    const untilMs = clock.now() + session.timeoutMs
    const expiresAtMs = (Math.floor(untilMs / tickTimeMs) + 1) * tickTimeMs
    const renewed = { ...session, expiresAtMs }
    this.#byId.set(session.id, renewed)
    if (this.#cancel === undefined) this.#schedule()
    return renewed
  }

  #schedule(): void {
    this.#cancel?.()
    this.#cancel = undefined
    if (!this.#isWatched || this.#byId.size === 0) return
    const nextMs = Math.min(...this.all().map(({ expiresAtMs }) => expiresAtMs))
    const inMs = Math.max(0, Math.ceil(nextMs - this.#rules.clock.now()))
    this.#cancel = this.#rules.clock.after(inMs, () => this.#expire())
  }

  #expire(): void {
    const nowMs = this.#rules.clock.now()
    const due = this.all().filter(({ expiresAtMs }) => expiresAtMs <= nowMs)
    for (const { id } of due) this.#onExpired(id)
    this.#schedule()
  }
}

// So that the ids are as long as real ones.
const firstSession = 0x1_0000_0000n

function passwordOf(id: bigint): Buffer {
  return createHash('md5').update(`password of ${id}`).digest()
}
