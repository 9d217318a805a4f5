import { type Clock, HaError, systemClock } from '@ha/core'
import { didYouMean } from '@ha/core/driver'
import type { FakeUser } from '../broker/users.ts'
import type { ServerSettings } from '../session/handshake.ts'

/** How to set up a fake cluster. Everything has a default. */
export interface FakeClusterOptions {
  /** How many nodes. Default 1. */
  readonly nodes?: number
  /** The version that the nodes say they have. It changes what they say and not what they do. Default `3.10.8`. */
  readonly version?: string
  /** Who may log in, by name. Default: `guest` with the password `guest`, who may do everything. */
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
  /** How long a client may hold a message without an answer. Default 1800000 ms. */
  readonly consumerTimeoutMs?: number
  /** After this long the others take a frozen node for dead: what its clients held comes back. Default 60000 ms. */
  readonly downAfterMs?: number
  /** How many frames the log keeps at least. Default 10000. */
  readonly logEntries?: number
  /** Default: the clock of this machine. */
  readonly clock?: Clock
}

/** {@link FakeClusterOptions} with nothing left open. */
export interface ClusterSettings {
  readonly nodes: number
  readonly users: ReadonlyMap<string, FakeUser>
  readonly vhosts: readonly string[]
  readonly downAfterMs: number
  readonly logEntries: number
  readonly clock: Clock
  readonly server: ServerSettings
}

const defaults = {
  nodes: 1,
  version: '3.10.8',
  users: { guest: { password: 'guest' } },
  vhosts: ['/'],
  heartbeatSec: 60,
  frameMaxBytes: 131_072,
  channelMax: 2_047,
  maxMessageBytes: 134_217_728,
  consumerTimeoutMs: 1_800_000,
  downAfterMs: 60_000,
  logEntries: 10_000,
  clock: systemClock,
} satisfies Required<FakeClusterOptions>

// What these numbers may be: the protocol has 16 bits for the first three, and no frame may be under 4096 bytes.
const ranges = {
  heartbeatSec: [0, 65_535],
  channelMax: [1, 65_535],
  nodes: [1, 64],
  frameMaxBytes: [4_096, 2 ** 31],
  maxMessageBytes: [0, 2 ** 31],
  consumerTimeoutMs: [1, 2 ** 31 - 1],
  downAfterMs: [1, 2 ** 31 - 1],
  logEntries: [0, 2 ** 31],
} as const

/** Fills in the defaults; throws `config-invalid` at an option that is unknown or out of range. */
export function resolveOptions(options: FakeClusterOptions): ClusterSettings {
  checkNames(options)
  const full = { ...defaults, ...options }
  for (const [name, [from, to]] of Object.entries(ranges) as RangeList) checkRange(name, full[name], from, to)
  for (const [name, user] of Object.entries(full.users)) checkPatterns(name, user)
  const { nodes, vhosts, downAfterMs, logEntries, clock } = full
  const { version, heartbeatSec, frameMaxBytes, channelMax, maxMessageBytes, consumerTimeoutMs } = full
  return {
    nodes,
    users: new Map(Object.entries(full.users)),
    vhosts,
    downAfterMs,
    logEntries,
    clock,
    server: {
      version,
      clusterName: 'fake',
      heartbeatSec,
      frameMaxBytes,
      channelMax,
      maxMessageBytes,
      consumerTimeoutMs,
    },
  }
}

type RangeList = readonly [keyof typeof ranges, readonly [number, number]][]

function checkNames(options: FakeClusterOptions): void {
  const known = Object.keys(defaults)
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown === undefined) return
  throw new HaError(
    'config-invalid',
    `fake cluster: there is no option '${unknown}'${didYouMean(unknown, known)}`,
  )
}

function checkPatterns(name: string, { permissions = {} }: FakeUser): void {
  for (const [vhost, deeds] of Object.entries(permissions)) {
    for (const [deed, pattern] of Object.entries(deeds))
      checkPattern(`users.${name}.permissions['${vhost}'].${deed}`, pattern)
  }
}

function checkPattern(path: string, pattern: string): void {
  const cause = faultIn(pattern)
  if (cause === undefined) return
  throw new HaError(
    'config-invalid',
    `fake cluster: ${path} must be a regular expression, not '${pattern}'`,
    { cause },
  )
}

function faultIn(pattern: string): unknown {
  try {
    new RegExp(pattern, 'u')
    return undefined
  } catch (error) {
    return error
  }
}

function checkRange(name: string, value: number, from: number, to: number): void {
  if (Number.isInteger(value) && value >= from && value <= to) return
  throw new HaError(
    'config-invalid',
    `fake cluster: ${name} must be a whole number from ${from} to ${to}, not ${value}`,
  )
}
