import type { Clock } from '@ha/core'
import type { UserTable } from './users.ts'
import { Vhost } from './vhost.ts'

/** The resource that an alarm is about; while it is raised, the server accepts no messages. */
export type Alarm = 'memory' | 'disk'

/** What the nodes of a cluster share: vhosts, users, alarms, and a count that makes names unique. */
export class Broker {
  readonly users: UserTable
  readonly #vhosts: ReadonlyMap<string, Vhost>
  readonly #alarms = new Set<Alarm>()
  #names = 0

  constructor(users: UserTable, vhosts: readonly string[], clock: Clock) {
    this.users = users
    this.#vhosts = new Map(vhosts.map((name) => [name, new Vhost(name, clock)]))
  }

  /** The vhost of that name, or undefined. */
  vhost(name: string): Vhost | undefined {
    return this.#vhosts.get(name)
  }

  /** The alarm that is raised, or undefined. */
  get alarm(): Alarm | undefined {
    return [...this.#alarms][0]
  }

  raise(alarm: Alarm): void {
    this.#alarms.add(alarm)
  }

  clear(alarm: Alarm): void {
    this.#alarms.delete(alarm)
  }

  /** A new name such as `amq.gen-…`: as long as RabbitMQ's, and the same in every run. */
  newName(prefix: 'amq.gen' | 'amq.ctag'): string {
    this.#names += 1
    return `${prefix}-${String(this.#names).padStart(22, '0')}`
  }

  /** Drops what the end of the last node does not survive. */
  forgetTransient(): void {
    for (const vhost of this.#vhosts.values()) vhost.forgetTransient()
  }

  /** Ends all timers. */
  close(): void {
    for (const vhost of this.#vhosts.values()) vhost.close()
  }
}
