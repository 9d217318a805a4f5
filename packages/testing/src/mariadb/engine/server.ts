import type { Clock } from '@ha/core'
import { type Deferred, deferred, withDeadline } from '@ha/core/driver'
import type { Value } from '../wire/values.ts'
import { LockManager } from './locks.ts'
import type { Membership, Values } from './membership.ts'
import type { Session } from './session.ts'
import { gtidOf, type Store } from './store.ts'
import { defaultStatus, defaultVariables } from './variables.ts'

/** The dependencies of a server. */
export interface ServerOptions {
  readonly clock: Clock
  readonly store: Store
  readonly membership: Membership
  /** Values of variables that differ from MariaDB's. */
  readonly variables: Values
}

// The variables that change with every commit.
const positions: readonly string[] = ['gtid_current_pos', 'gtid_slave_pos', 'gtid_binlog_pos']

/** The server behind the sockets of one node: what all its sessions share. */
export class Server {
  readonly clock: Clock
  readonly store: Store
  readonly membership: Membership
  readonly locks: LockManager
  readonly applier: Applier
  readonly #sessions = new Set<Session>()
  readonly #variables: Map<string, Value>
  #overrides: Values = {}

  constructor({ clock, store, membership, variables }: ServerOptions) {
    this.clock = clock
    this.store = store
    this.membership = membership
    this.#variables = new Map(Object.entries({ ...defaultVariables, ...variables }))
    this.locks = new LockManager(clock, () => this.applier.applied)
    this.applier = new Applier(clock, store.seqno, () => this.locks.abortOverwritten())
  }

  get sessions(): ReadonlySet<Session> {
    return this.#sessions
  }

  add(session: Session): void {
    this.#sessions.add(session)
  }

  remove(session: Session): void {
    this.#sessions.delete(session)
  }

  /** Replaces values of `SHOW STATUS` and `SHOW VARIABLES`; the server acts by them. */
  override(values: Values): void {
    this.#overrides = { ...this.#overrides, ...values }
  }

  /** A variable as new sessions get it; undefined when there is none of that name. */
  variable(name: string): Value | undefined {
    const isPosition = positions.includes(name) && this.#variables.get('wsrep_on') !== 'ON'
    const own = isPosition ? gtidOf(this.applier.applied) : this.#variables.get(name)
    return this.#overrides[name] ?? this.membership.variables()[name] ?? own
  }

  setVariable(name: string, value: Value): void {
    this.#variables.set(name, value)
    const { [name]: _, ...others } = this.#overrides
    this.#overrides = others
  }

  /** All variables, in the order of their names. */
  get variables(): Values {
    const names = [...this.#variables.keys()].sort()
    return Object.fromEntries(names.map((name) => [name, this.variable(name) ?? null]))
  }

  /** A value of `SHOW STATUS`. */
  status(name: string): Value | undefined {
    return this.#overrides[name] ?? this.membership.status()[name] ?? this.#ownStatus()[name]
  }

  /** All values of `SHOW STATUS`, in the order of their names. */
  get statusValues(): Values {
    const names = Object.keys({ ...this.#ownStatus(), ...this.membership.status() }).sort()
    return Object.fromEntries(names.map((name) => [name, this.status(name) ?? null]))
  }

  #ownStatus(): Values {
    return { ...defaultStatus, threads_connected: this.#sessions.size }
  }
}

/** Applies what is committed in the cluster to one node: how far its readers see. */
export class Applier {
  readonly #clock: Clock
  readonly #onApplied: () => void
  #received: number
  #applied: number
  #isStopped = false
  #waiters: readonly CommitWaiter[] = []

  constructor(clock: Clock, seqno: number, onApplied: () => void) {
    this.#clock = clock
    this.#onApplied = onApplied
    this.#received = seqno
    this.#applied = seqno
  }

  /** The number of the last commit that readers of this node see. */
  get applied(): number {
    return this.#applied
  }

  /** Whether it keeps back what it receives. */
  get isStopped(): boolean {
    return this.#isStopped
  }

  /** Receives a commit: readers see it now, or when the applier runs again. */
  receive(seqno: number): void {
    this.#received = Math.max(this.#received, seqno)
    if (!this.#isStopped) this.#apply()
  }

  stop(): void {
    this.#isStopped = true
  }

  start(): void {
    this.#isStopped = false
    this.#apply()
  }

  /** Whether readers see a commit; waits for it for at most `timeoutMs`. */
  async hasReached(seqno: number, limit: { timeoutMs: number; signal: AbortSignal }): Promise<boolean> {
    if (this.#applied >= seqno) return true
    if (limit.timeoutMs === 0) return false
    const waiter: CommitWaiter = { seqno, reached: deferred() }
    this.#waiters = [...this.#waiters, waiter]
    const expired = new Error('the commit was not applied in time')
    try {
      await withDeadline(this.#clock, { ...limit, expired: () => expired }, () => waiter.reached.promise)
      return true
    } catch (error) {
      if (error === expired) return false
      throw error
    } finally {
      this.#waiters = this.#waiters.filter((other) => other !== waiter)
    }
  }

  #apply(): void {
    this.#applied = this.#received
    this.#onApplied()
    for (const { seqno, reached } of this.#waiters) {
      if (seqno <= this.#applied) reached.resolve()
    }
  }
}

interface CommitWaiter {
  readonly seqno: number
  readonly reached: Deferred<void>
}
