import type { Endpoint } from '@ha/core'
import { type Clock, HaError, systemClock } from '@ha/core'
import type { ProxyConnection } from './connection.ts'

/** The options of a fault proxy. */
export interface FaultProxyOptions {
  /** The server behind the proxy. */
  readonly to: Endpoint
  /** Where clients reach the proxy. Default a free port on 127.0.0.1. */
  readonly listen?: Endpoint
  /** Where jitter and slice sizes are drawn from; each direction of each connection draws by itself. Default 1. */
  readonly seed?: number
  /** The clock of every delay, onset and time stamp. Default the machine's. */
  readonly clock?: Clock
  /**
   * How many bytes one direction of one connection holds before it stops reading from the sender. Default 4 MiB.
   * Latency needs room: a connection carries at most this much per delay.
   */
  readonly maxHeldBytes?: number
  /** Called for each accepted client before its first byte: sets faults of this connection alone. */
  readonly onConnection?: (connection: ProxyConnection) => void
}

const defaults = {
  listen: { host: '127.0.0.1', port: 0 },
  seed: 1,
  clock: systemClock,
  maxHeldBytes: 4 * 1024 * 1024,
  onConnection: (): void => undefined,
} as const

/** The options with their defaults; throws `config-invalid` for one that cannot be used. */
export function resolveOptions(options: FaultProxyOptions): Required<FaultProxyOptions> {
  const resolved = { ...defaults, ...options }
  checkPort('to.port', resolved.to.port, 1)
  checkPort('listen.port', resolved.listen.port, 0)
  check('seed', resolved.seed, Number.isInteger(resolved.seed), 'a whole number')
  check('maxHeldBytes', resolved.maxHeldBytes, resolved.maxHeldBytes >= 1, 'a number of bytes, 1 or more')
  return resolved
}

function checkPort(path: string, port: number, least: number): void {
  check(path, port, Number.isInteger(port) && port >= least && port <= 65_535, `a port, ${least} to 65535`)
}

function check(path: string, value: unknown, holds: boolean, expected: string): void {
  if (holds) return
  throw new HaError('config-invalid', `fault proxy: ${path} is ${String(value)}, expected ${expected}`)
}
