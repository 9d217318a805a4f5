import { type Clock, systemClock } from '@ha/core'
import { checked, count, flag, milliseconds, type OptionTable, resolveOptions } from '@ha/core/driver'

/** How to set up a fake ensemble. Everything has a default. */
export interface FakeEnsembleOptions {
  /** How many nodes. Default 3. */
  readonly nodes?: number
  /** The unit of the servers' time: sessions end at ticks. Default 2000 ms. */
  readonly tickTimeMs?: number
  /** The shortest session that is granted. Default: two ticks. */
  readonly minSessionTimeoutMs?: number
  /** The longest session that is granted. Default: twenty ticks. */
  readonly maxSessionTimeoutMs?: number
  /** From the loss of a leader to the next leader. Default 200 ms. */
  readonly electionMs?: number
  /** How long a node may be silent before the others exclude it. Default: five ticks. */
  readonly detectMs?: number
  /** How often the leader removes empty containers and nodes whose TTL is over. Default 60 000 ms. */
  readonly containerCheckMs?: number
  /** Whether nodes with a TTL are supported; real servers support them only when configured. Default true. */
  readonly hasTtl?: boolean
  /** Whether `exists` needs the permission to read, as on servers from 3.8.4 and 3.9.2 on. Default false. */
  readonly existsNeedsRead?: boolean
  /** The data version of new nodes, so that one that overflows is near. From -2^31 to 2^31 - 1; default 0. */
  readonly firstVersion?: number
  /** The number of the first sequential child of a node, so that one that overflows is near. As {@link firstVersion}. */
  readonly firstSequence?: number
  /** The largest frame that is read; a larger one ends the connection. Default 1 048 575 bytes. */
  readonly maxFrameBytes?: number
  /** Whether the nodes open ports of 127.0.0.1; without, they are dialed in memory. Default true. */
  readonly listens?: boolean
  /** Default: the clock of this machine. */
  readonly clock?: Clock
}

const maxNodes = 64
const longestMs = 2 ** 31 - 1
const millisecondsOrTicks = -1

const table: OptionTable<Required<FakeEnsembleOptions>> = {
  nodes: count({ default: 3, min: 1, max: maxNodes }),
  tickTimeMs: milliseconds({ default: 2_000, min: 1, max: longestMs }),
  minSessionTimeoutMs: milliseconds({ default: millisecondsOrTicks, min: 1, max: longestMs }),
  maxSessionTimeoutMs: milliseconds({ default: millisecondsOrTicks, min: 1, max: longestMs }),
  electionMs: milliseconds({ default: 200, min: 0, max: longestMs }),
  detectMs: milliseconds({ default: millisecondsOrTicks, min: 0, max: longestMs }),
  containerCheckMs: milliseconds({ default: 60_000, min: 1, max: longestMs }),
  hasTtl: flag(true),
  existsNeedsRead: flag(false),
  firstSequence: count({ default: 0, min: -(2 ** 31), max: 2 ** 31 - 1 }),
  firstVersion: count({ default: 0, min: -(2 ** 31), max: 2 ** 31 - 1 }),
  // One byte less than a megabyte, as `jute.maxbuffer` has it.
  maxFrameBytes: count({ default: 0xf_ffff, min: 1, max: 2 ** 31 - 1 }),
  listens: flag(true),
  clock: checked((value) => (value ?? systemClock) as Clock, systemClock),
}

/** Fills in the defaults; throws `config-invalid` at an option that is unknown or out of range. */
export function ensembleOptions(options: FakeEnsembleOptions): Required<FakeEnsembleOptions> {
  const resolved = resolveOptions(table, options, 'fakeEnsemble')
  const orTicks = (ms: number, ticks: number): number =>
    ms === millisecondsOrTicks ? ticks * resolved.tickTimeMs : ms
  return {
    ...resolved,
    minSessionTimeoutMs: orTicks(resolved.minSessionTimeoutMs, 2),
    maxSessionTimeoutMs: orTicks(resolved.maxSessionTimeoutMs, 20),
    detectMs: orTicks(resolved.detectMs, 5),
  }
}
