import {
  type DiagnosticsChannel,
  type Exhaustion,
  formatEndpoint,
  type HostChange,
  isHaError,
  type Leak,
  type NestedAcquire,
  type Routing,
} from '@ha/core'
import { channels, type Emitter } from '@ha/core/driver'
import type { TransactionOutcome } from './commit-log.ts'
import type { ClientContext, OutcomeReporter } from './context.ts'
import { dateZone, isUtc } from './driver/dates.ts'
import type { MariadbError } from './errors.ts'
import type { ResolvedOptions } from './options/resolved-options.ts'
import { noEndpoints } from './routing/router.ts'

interface WriterMonitorDeps extends Pick<ClientContext, 'router' | 'pool'> {
  readonly options: ResolvedOptions
  readonly events: Emitter<MariadbEvents>
}

/**
 * Follows the view of the cluster and emits the client's events: which server receives writes, and whether any does.
 */
export class WriterMonitor implements OutcomeReporter {
  readonly #deps: WriterMonitorDeps
  #writer: string | undefined
  #lastFailover: Omit<WriterChange, 'error'> | undefined
  #hasQuorum = true
  readonly #warned = new Set<string>()

  constructor(deps: WriterMonitorDeps) {
    this.#deps = deps
    const { pool, events } = deps
    pool.events.on('host', (change) => events.emit('host', change))
    pool.events.on('exhausted', (exhaustion) => events.emit('exhausted', exhaustion))
    pool.events.on('leak', (leak) => events.emit('leak', leak))
    pool.events.on('nested', (nested) => events.emit('nested', nested))
  }

  get lastFailover(): Omit<WriterChange, 'error'> | undefined {
    return this.#lastFailover
  }

  /** The route of a write at this moment, or the reason why there is none. */
  route(): Routing {
    const { router, pool } = this.#deps
    return router.route(
      { target: 'primary', avoid: noEndpoints, allowOtherWriters: false },
      pool.view,
      noLoad,
    )
  }

  /** Re-evaluates the view after each change, until the signal fires. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#update()
      await this.#deps.pool.changed.wait(signal)
    }
  }

  /** Emits `outcomeUnknown` for a call. */
  reportUnknownOutcome(name: string, { endpoint, token }: MariadbError): void {
    this.#publishOutcome({ name, endpoint, token, fate: 'unknown' })
    this.#deps.events.emit('outcomeUnknown', { name, endpoint, token })
  }

  /** Emits `outcomeResolved` for a transaction whose COMMIT had no answer. */
  reportResolvedOutcome(token: string, fate: TransactionOutcome): void {
    this.#publishOutcome({ name: 'resolve', endpoint: undefined, token, fate })
    this.#deps.events.emit('outcomeResolved', { token, fate })
  }

  /** Emits a warning; the same text only once. */
  warn(text: string): void {
    if (this.#warned.has(text)) return
    this.#warned.add(text)
    this.#deps.events.emit('warning', { text })
  }

  #publishOutcome(
    message: Readonly<Record<'name' | 'endpoint' | 'token' | 'fate', string | undefined>>,
  ): void {
    if (!mariadbChannels.outcome.hasSubscribers) return
    mariadbChannels.outcome.publish({ client: this.#deps.options.name, ...message })
  }

  #update(): void {
    const routing = this.route()
    this.#updateQuorum(routing)
    this.#checkServerSettings()
    const [first] = routing.kind === 'go' ? routing.endpoints : []
    if (first === undefined || this.#deps.options.mode === 'loadbalance') return
    const to = formatEndpoint(first)
    const from = this.#writer
    this.#writer = to
    if (from !== undefined && from !== to) this.#emitWriterChange(from, to)
  }

  #emitWriterChange(from: string, to: string): void {
    const { router, pool, options, events } = this.#deps
    const names = pool.view.members.map(({ endpoint }) => formatEndpoint(endpoint))
    const error = router.ineligibility(pool.view, from, noLoad)
    const back = error === undefined && names.indexOf(to) < names.indexOf(from)
    if (!back) this.#lastFailover = { from, to }
    if (mariadbChannels.writer.hasSubscribers) {
      mariadbChannels.writer.publish({ client: options.name, from, to, error, back })
    }
    events.emit(back ? 'failback' : 'failover', { from, to, error })
  }

  #updateQuorum(routing: Routing): void {
    const lost =
      routing.kind === 'none' && isHaError(routing.error) && routing.error.code === 'no-primary-component'
    if (lost && this.#hasQuorum) {
      this.#hasQuorum = false
      this.#deps.events.emit('quorumLost', { error: routing.error })
    }
    const [first] = routing.kind === 'go' ? routing.endpoints : []
    if (first !== undefined && !this.#hasQuorum) {
      this.#hasQuorum = true
      this.#deps.events.emit('quorumRestored', { endpoint: formatEndpoint(first) })
    }
  }

  #checkServerSettings(): void {
    for (const { endpoint, reading } of this.#deps.pool.view.members) {
      if (reading === undefined) continue
      this.#checkTimeZone(formatEndpoint(endpoint), reading.timeZone)
      if (reading.flushLogAtCommit === 1) continue
      this.warn(
        `${formatEndpoint(endpoint)} has innodb_flush_log_at_trx_commit=${reading.flushLogAtCommit}: ` +
          'servers that crash together lose what they acknowledged; set it to 1',
      )
    }
    this.#checkSplitCluster()
  }

  #checkTimeZone(name: string, timeZone: string): void {
    if (timeZone === '' || isUtc(timeZone)) return
    const { session, timeZoneGiven } = this.#deps.options
    if (!timeZoneGiven)
      this.warn(
        `${name} has the time zone ${timeZone}, and sessions of this client have UTC: DATETIME values that others ` +
          "write, or that NOW() wrote for them, are read wrong by the difference; set session.timeZone ('server' or a zone)",
      )
    if (session.timeZone === 'server' && dateZone(timeZone) === undefined)
      this.warn(
        `${name} tells its time zone by the abbreviation ${timeZone} only: dates are read with the offset of now; ` +
          'set session.timeZone to a name',
      )
  }

  #checkSplitCluster(): void {
    const uuids = new Map<string, string[]>()
    for (const { endpoint, health, reading } of this.#deps.pool.view.members) {
      const galera = reading?.galera
      if (galera?.status !== 'Primary' || health === 'down') continue
      uuids.set(galera.clusterUuid, [...(uuids.get(galera.clusterUuid) ?? []), formatEndpoint(endpoint)])
    }
    const split = [...uuids.values()].map((names) => names.join(',')).join(' | ')
    if (uuids.size < 2 || this.#warned.has(split)) return
    this.#warned.add(split)
    const [used = '', ...others] = [...uuids].sort((a, b) => b[1].length - a[1].length).map(([uuid]) => uuid)
    this.#deps.events.emit('splitCluster', { used, others })
  }
}

function noLoad(): { inUse: number; waiting: number; free: number } {
  return { inUse: 0, waiting: 0, free: 1 }
}

/** A change of the server that receives the writes of this client. */
export interface WriterChange {
  /** `host:port`. */
  readonly from: string
  readonly to: string
  /** Why the previous writer is not used. Undefined when it still works and a preferred server replaced it. */
  readonly error: Error | undefined
}

/** The events of a client. A listener that throws does not affect the other listeners. */
export type MariadbEvents = {
  /** The health state of a server changed. */
  readonly host: HostChange
  /** Writes go to another server because the previous one failed. */
  readonly failover: WriterChange
  /** Writes return to a server that is earlier in the list and has been healthy for `failBack.afterMs`. */
  readonly failback: WriterChange
  /** No responding Galera node belongs to a primary component. */
  readonly quorumLost: { readonly error: Error }
  readonly quorumRestored: { readonly endpoint: string }
  /** The hosts belong to different Galera clusters; only the nodes of `used` are used. */
  readonly splitCluster: { readonly used: string; readonly others: readonly string[] }
  readonly exhausted: Exhaustion
  readonly leak: Leak
  readonly nested: NestedAcquire
  /** A call ended with an unknown outcome. */
  readonly outcomeUnknown: {
    readonly name: string
    readonly endpoint: string | undefined
    readonly token: string | undefined
  }
  /** The commit log gave the outcome of a transaction whose COMMIT had no answer. */
  readonly outcomeResolved: { readonly token: string; readonly fate: 'committed' | 'rolled-back' }
  /** A problem of the options or of a server's settings. Each is emitted once. */
  readonly warning: { readonly text: string }
}

/**
 * The diagnostics channels of this package, in addition to those of the core. A channel without subscribers costs one
 * check of `hasSubscribers`.
 */
export const mariadbChannels: Readonly<Record<'writer' | 'outcome', DiagnosticsChannel>> = channels(
  'ha:mariadb',
  {
    /** `{ client, from, to, error, back }` when writes go to another server; `back` is true for a planned return. */
    writer: 'writer',
    /** `{ client, name, endpoint, token, fate }`: `fate` is `unknown`, `committed` or `rolled-back`. */
    outcome: 'outcome',
  },
)
