import { type Clock, systemClock } from '@ha/core'
import {
  count,
  flag,
  milliseconds,
  type OptionReader,
  type OptionTable,
  resolveOptions,
} from '@ha/core/driver'
import type { Users } from '../connection/connection.ts'
import type { Values } from '../engine/membership.ts'

/** How to set up fake servers. Everything has a default. */
export interface FakeServerOptions {
  /** Who may log in, their passwords by their names. Default: `root` with an empty password. */
  readonly users?: Users
  /** Default `['test']`. */
  readonly schemas?: readonly string[]
  /** Variables that begin with another value than MariaDB's, in lower case. Default: none. */
  readonly variables?: Values
  /** Whether the nodes open ports of 127.0.0.1; without, they are dialed in memory. Default true. */
  readonly listens?: boolean
  /** Default: the clock of this machine. */
  readonly clock?: Clock
}

/** How to set up a fake Galera cluster. Everything has a default. */
export interface FakeGaleraOptions extends FakeServerOptions {
  /** How many nodes. Default 3. */
  readonly nodes?: number
  /** From the loss of a node to the view without it: commits on the others hang so long. Default 0 ms. */
  readonly viewChangeMs?: number
  /** From the return of a node that was given up to its being a member again. Default 100 ms. */
  readonly rejoinMs?: number
}

/** How to set up a fake primary with replicas. Everything has a default. */
export interface FakeReplicationOptions extends FakeServerOptions {
  /** How many replicas. Default 2. */
  readonly replicas?: number
}

const maxNodes = 64
const longestMs = 2 ** 31 - 1

const common: OptionTable<Required<FakeServerOptions>> = {
  users: anyOf<Users>({ root: '' }),
  schemas: anyOf<readonly string[]>(['test']),
  variables: anyOf<Values>({}),
  listens: flag(true),
  clock: anyOf<Clock>(systemClock),
}

/** Fills in the defaults; throws `config-invalid` at an option that is unknown or out of range. */
export function serverOptions(options: FakeServerOptions): Required<FakeServerOptions> {
  return resolveOptions(common, options, 'fakeServer')
}

/** {@link serverOptions} for {@link FakeGaleraOptions}. */
export function galeraOptions(options: FakeGaleraOptions): Required<FakeGaleraOptions> {
  const table: OptionTable<Required<FakeGaleraOptions>> = {
    ...common,
    nodes: count({ default: 3, min: 1, max: maxNodes }),
    viewChangeMs: milliseconds({ default: 0, min: 0, max: longestMs }),
    rejoinMs: milliseconds({ default: 100, min: 0, max: longestMs }),
  }
  return resolveOptions(table, options, 'fakeGalera')
}

/** {@link serverOptions} for {@link FakeReplicationOptions}. */
export function replicationOptions(options: FakeReplicationOptions): Required<FakeReplicationOptions> {
  const table: OptionTable<Required<FakeReplicationOptions>> = {
    ...common,
    replicas: count({ default: 2, min: 0, max: maxNodes }),
  }
  return resolveOptions(table, options, 'fakeReplication')
}

function anyOf<T>(fallback: T): OptionReader<T> {
  return { read: (value) => (value === undefined ? fallback : (value as T)) }
}
