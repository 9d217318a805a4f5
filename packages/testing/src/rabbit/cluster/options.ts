import { type Clock, HaError, systemClock } from '@ha/core'
import { checked, count, milliseconds, type OptionTable, resolveOptions, text } from '@ha/core/driver'
import type { FakeUser } from '../broker/users.ts'
import type { ServerSettings } from '../session/handshake.ts'

/** How to set up a fake cluster. Everything has a default. */
export interface FakeClusterOptions {
  /** How many nodes. Default 1. */
  readonly nodes?: number
  /** The version that the nodes report. It does not change how they behave. Default `3.10.8`. */
  readonly version?: string
  /** The users by name. Default: `guest` with the password `guest` and all permissions. */
  readonly users?: Readonly<Record<string, FakeUser>>
  /** Default `['/']`. */
  readonly vhosts?: readonly string[]
  /** The heartbeat interval that the nodes propose. Default 60 s. */
  readonly heartbeatSec?: number
  /** How long a frame may be. Default 131072 bytes. */
  readonly frameMaxBytes?: number
  /** How many channels a connection may have. Default 2047. */
  readonly channelMax?: number
  /** How long the body of a message may be. Default 134217728 bytes, as RabbitMQ up to 3.13. */
  readonly maxMessageBytes?: number
  /** How long a client may leave a message unacknowledged. Default 1800000 ms. */
  readonly consumerTimeoutMs?: number
  /**
   * After this time the other nodes consider a frozen node dead: its unacknowledged messages are requeued. Default
   * 60000 ms.
   */
  readonly downAfterMs?: number
  /** How many frames the log keeps at least. Default 10000. */
  readonly logEntries?: number
  /** Default: the clock of this machine. */
  readonly clock?: Clock
}

/** {@link FakeClusterOptions} with all defaults filled in. */
export interface ClusterSettings {
  readonly nodes: number
  readonly users: ReadonlyMap<string, FakeUser>
  readonly vhosts: readonly string[]
  readonly downAfterMs: number
  readonly logEntries: number
  readonly clock: Clock
  readonly server: ServerSettings
}

const longestMs = 2 ** 31 - 1
const largestBytes = 2 ** 31

// The protocol has 16 bits for a heartbeat and for the number of a channel, and no frame may be under 4096 bytes.
const table: OptionTable<Required<FakeClusterOptions>> = {
  nodes: count({ default: 1, min: 1, max: 64 }),
  version: text('3.10.8'),
  users: checked(checkUsers, { guest: { password: 'guest' } }),
  vhosts: checked((value) => (value ?? ['/']) as readonly string[], ['/']),
  heartbeatSec: count({ default: 60, min: 0, max: 65_535 }),
  frameMaxBytes: count({ default: 131_072, min: 4_096, max: largestBytes }),
  channelMax: count({ default: 2_047, min: 1, max: 65_535 }),
  maxMessageBytes: count({ default: 134_217_728, min: 0, max: largestBytes }),
  consumerTimeoutMs: milliseconds({ default: 1_800_000, min: 1, max: longestMs }),
  downAfterMs: milliseconds({ default: 60_000, min: 1, max: longestMs }),
  logEntries: count({ default: 10_000, min: 0, max: 2 ** 31 }),
  clock: checked((value) => (value ?? systemClock) as Clock, systemClock),
}

/** Fills in the defaults; throws `config-invalid` at an option that is unknown or out of range. */
export function clusterSettings(options: FakeClusterOptions): ClusterSettings {
  const resolved = resolveOptions(table, options, 'fakeCluster')
  const { nodes, users, vhosts, downAfterMs, logEntries, clock, ...server } = resolved
  return {
    nodes,
    users: new Map(Object.entries(users)),
    vhosts,
    downAfterMs,
    logEntries,
    clock,
    server: { ...server, clusterName: 'fake' },
  }
}

type UserTable = Readonly<Record<string, FakeUser>>

function checkUsers(value: unknown, path: string): UserTable {
  const users = (value ?? { guest: { password: 'guest' } }) as UserTable
  for (const [name, { permissions = {} }] of Object.entries(users)) {
    for (const [vhost, patterns] of Object.entries(permissions)) {
      for (const [permission, pattern] of Object.entries(patterns))
        checkPattern(`${path}.${name}.permissions['${vhost}'].${permission}`, pattern)
    }
  }
  return users
}

function checkPattern(path: string, pattern: string): void {
  const cause = regExpError(pattern)
  if (cause === undefined) return
  throw new HaError('config-invalid', `${path}: expected a regular expression, got '${pattern}'`, { cause })
}

function regExpError(pattern: string): unknown {
  try {
    new RegExp(pattern, 'u')
    return undefined
  } catch (error) {
    return error
  }
}
