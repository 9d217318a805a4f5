import { formatEndpoint, isHaError, type Routing } from '@ha/core'
import type { Emitter } from '@ha/core/driver'
import { mariadbChannels } from './channels.ts'
import type { MariadbEvents, WriterChange } from './events.ts'
import type { Fate } from './ledger/resolve.ts'
import type { MariadbError } from './mariadb-error.ts'
import type { ResolvedOptions } from './options/resolved.ts'
import { nobody } from './route/chooser.ts'
import type { Ground } from './statement/runner.ts'

interface Watched extends Pick<Ground, 'chooser' | 'pool'> {
  readonly options: ResolvedOptions
  readonly events: Emitter<MariadbEvents>
}

/** Follows the view of the servers and tells what it means for the client: who takes the writes, and whether anybody can. */
export class Watching {
  readonly #parts: Watched
  #writer: string | undefined
  #lastFailover: Omit<WriterChange, 'error'> | undefined
  #quorum = true
  readonly #warned = new Set<string>()

  constructor(parts: Watched) {
    this.#parts = parts
    const { pool, events } = parts
    pool.events.on('host', (change) => events.emit('host', change))
    pool.events.on('exhausted', (exhaustion) => events.emit('exhausted', exhaustion))
    pool.events.on('leak', (leak) => events.emit('leak', leak))
    pool.events.on('nested', (nested) => events.emit('nested', nested))
  }

  get lastFailover(): Omit<WriterChange, 'error'> | undefined {
    return this.#lastFailover
  }

  /** Where writes go at this moment, or why nowhere. */
  writer(): Routing {
    const { chooser, pool } = this.#parts
    return chooser.choose({ asked: 'primary', avoid: nobody, strays: false }, pool.view, unloaded)
  }

  /** Looks again after each change, until the signal fires. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#look()
      await this.#parts.pool.changed.wait(signal)
    }
  }

  /** Tells of a call whose outcome nobody knows. */
  tellUnknown(name: string, { endpoint, token }: MariadbError): void {
    this.#tellOutcome({ name, endpoint, token, fate: 'unknown' })
    this.#parts.events.emit('outcomeUnknown', { name, endpoint, token })
  }

  /** Tells what became of a transaction whose COMMIT had no answer. */
  tellResolved(token: string, fate: Fate): void {
    this.#tellOutcome({ name: 'resolve', endpoint: undefined, token, fate })
    this.#parts.events.emit('outcomeResolved', { token, fate })
  }

  /** Tells something once. */
  warn(text: string): void {
    if (this.#warned.has(text)) return
    this.#warned.add(text)
    this.#parts.events.emit('warning', { text })
  }

  #tellOutcome(told: Readonly<Record<'name' | 'endpoint' | 'token' | 'fate', string | undefined>>): void {
    if (!mariadbChannels.outcome.hasSubscribers) return
    mariadbChannels.outcome.publish({ client: this.#parts.options.name, ...told })
  }

  #look(): void {
    const routing = this.writer()
    this.#tellQuorum(routing)
    this.#warnOfServers()
    const [first] = routing.kind === 'go' ? routing.endpoints : []
    if (first === undefined || this.#parts.options.mode === 'loadbalance') return
    const to = formatEndpoint(first)
    const from = this.#writer
    this.#writer = to
    if (from !== undefined && from !== to) this.#tellWriter(from, to)
  }

  #tellWriter(from: string, to: string): void {
    const { chooser, pool, options, events } = this.#parts
    const names = pool.view.members.map(({ endpoint }) => formatEndpoint(endpoint))
    const error = chooser.objection(pool.view, from, unloaded)
    const back = error === undefined && names.indexOf(to) < names.indexOf(from)
    if (!back) this.#lastFailover = { from, to }
    if (mariadbChannels.writer.hasSubscribers) {
      mariadbChannels.writer.publish({ client: options.name, from, to, error, back })
    }
    events.emit(back ? 'failback' : 'failover', { from, to, error })
  }

  #tellQuorum(routing: Routing): void {
    const lost =
      routing.kind === 'none' && isHaError(routing.error) && routing.error.code === 'no-primary-component'
    if (lost && this.#quorum) {
      this.#quorum = false
      this.#parts.events.emit('quorumLost', { error: routing.error })
    }
    const [first] = routing.kind === 'go' ? routing.endpoints : []
    if (first !== undefined && !this.#quorum) {
      this.#quorum = true
      this.#parts.events.emit('quorumRestored', { endpoint: formatEndpoint(first) })
    }
  }

  #warnOfServers(): void {
    for (const { endpoint, reading } of this.#parts.pool.view.members) {
      if (reading === undefined || reading.flushLogAtCommit === 1) continue
      this.warn(
        `${formatEndpoint(endpoint)} has innodb_flush_log_at_trx_commit=${reading.flushLogAtCommit}: ` +
          'servers that crash together lose what they acknowledged; set it to 1',
      )
    }
    this.#tellSplit()
  }

  #tellSplit(): void {
    const uuids = new Map<string, string[]>()
    for (const { endpoint, health, reading } of this.#parts.pool.view.members) {
      const galera = reading?.galera
      if (galera?.status !== 'Primary' || health === 'down') continue
      uuids.set(galera.clusterUuid, [...(uuids.get(galera.clusterUuid) ?? []), formatEndpoint(endpoint)])
    }
    const split = [...uuids.values()].map((names) => names.join(',')).join(' | ')
    if (uuids.size < 2 || this.#warned.has(split)) return
    this.#warned.add(split)
    const [used = '', ...others] = [...uuids].sort((a, b) => b[1].length - a[1].length).map(([uuid]) => uuid)
    this.#parts.events.emit('splitCluster', { used, others })
  }
}

function unloaded(): { inUse: number; waiting: number; free: number } {
  return { inUse: 0, waiting: 0, free: 1 }
}
