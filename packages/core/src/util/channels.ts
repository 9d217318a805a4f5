import { channel } from 'node:diagnostics_channel'

/** The part of a `node:diagnostics_channel` that a sender needs. */
export interface DiagnosticsChannel {
  readonly hasSubscribers: boolean
  publish(message: unknown): void
}

/** The diagnostics channels `<prefix>:<name>`. Without a subscriber, a message costs one look at `hasSubscribers`. */
export function channels<K extends string>(
  prefix: string,
  names: Readonly<Record<K, string>>,
): Readonly<Record<K, DiagnosticsChannel>> {
  const entries = Object.entries<string>(names).map(([key, name]) => [key, channel(`${prefix}:${name}`)])
  return Object.freeze(Object.fromEntries(entries))
}

/**
 * The diagnostics channels of core. Their names never change. Without a subscriber, a message costs one look at
 * `hasSubscribers`.
 */
export const coreChannels: Readonly<Record<CoreChannel, DiagnosticsChannel>> = channels('ha', {
  /** `{ link, state, endpoint, generation }` on each change of a link's state. */
  linkState: 'link:state',
  /** `{ link, endpoint, generation, error, detectMs }` when a connection was lost; not when the move was planned. */
  linkLost: 'link:lost',
  /**
   * `{ link, endpoint, generation, to, error, detectMs, dialMs, restoreMs }` when a link is ready again: `endpoint`
   * and `generation` are those of the connection before. The error of a planned move has the code `failed-back`.
   */
  linkFailover: 'link:failover',
  /** `{ pool, endpoint, from, to, error }` when the health of an endpoint of a pool has changed. */
  poolHost: 'pool:host',
  /** `{ pool, endpoint, generation, error }` when a generation of connections begins, and with an error when it ends. */
  poolGeneration: 'pool:generation',
  /** `{ pool, endpoint, error }` when an acquire was rejected, or gave up, while all connections were in use. */
  poolExhausted: 'pool:exhausted',
  /** `{ name, attempt, endpoint, error }` before an operation is repeated. */
  runRetry: 'run:retry',
})

type CoreChannel =
  | 'linkState'
  | 'linkLost'
  | 'linkFailover'
  | 'poolHost'
  | 'poolGeneration'
  | 'poolExhausted'
  | 'runRetry'
