import type { Clock } from '@ha/core'
import type { Value } from '../wire/value.ts'
import { Applier } from './applier.ts'
import { gtidOf } from './gtid.ts'
import { Locks } from './locks.ts'
import type { Membership, Values } from './membership.ts'
import type { Session } from './session.ts'
import type { Store } from './store.ts'
import { defaultStatus, defaultVariables } from './variables.ts'

/** What a server is made of. */
export interface ServerOptions {
  readonly clock: Clock
  readonly store: Store
  readonly membership: Membership
  /** Values of variables that differ from MariaDB's. */
  readonly variables: Values
}

// What changes with every commit.
const positions: readonly string[] = ['gtid_current_pos', 'gtid_slave_pos', 'gtid_binlog_pos']

/** The server behind the sockets of one node: what all its sessions share. */
export class Server {
  readonly clock: Clock
  readonly store: Store
  readonly membership: Membership
  readonly locks: Locks
  readonly applier: Applier
  readonly #sessions = new Set<Session>()
  readonly #variables: Map<string, Value>
  #overrides: Values = {}

  constructor({ clock, store, membership, variables }: ServerOptions) {
    this.clock = clock
    this.store = store
    this.membership = membership
    this.#variables = new Map(Object.entries({ ...defaultVariables, ...variables }))
    this.locks = new Locks(clock, () => this.applier.applied)
    this.applier = new Applier(clock, store.seqno, () => this.locks.doomOvertaken())
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

  /** Lets `SHOW STATUS` and `SHOW VARIABLES` say something else, and the server act by it. */
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
