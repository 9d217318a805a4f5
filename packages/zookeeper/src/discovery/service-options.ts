import { checked, count, group, milliseconds, type OptionTable, oneOf } from '@ha/core/driver'
import { resolveOptions } from '../resolve-options.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import type { PickStrategy, ZoneRule } from './pick.ts'
import type { GuardRules } from './served.ts'
import type { ShunRules } from './standing.ts'
import { whenGiven } from './when-given.ts'

/** How a service is seen, and how one of its instances is picked. */
export interface ServiceOptions {
  /** Default `round-robin`. */
  readonly strategy?: PickStrategy | undefined
  /** Where this client is, for `zone`. */
  readonly zone?: ZoneOptions | undefined
  /** When an instance is left out because calls to it failed, one after the other. */
  readonly shun?: Partial<ShunRules> | undefined
  /** When a list that has become short in an outage is not believed. */
  readonly guard?: Partial<GuardRules> | undefined
  /**
   * For how long changes are gathered before the list is read again, and then once more before it is told, in
   * milliseconds; each time a random part of it, so that not all clients read at once. What changes is so told after up
   * to twice this. Default 100.
   */
  readonly coalesceMs?: number | undefined
}

export interface ZoneOptions {
  /** The zone, as it stands in the metadata of instances under `zone`. */
  readonly name: string
  /** How many of its instances have to be there for the others not to be picked. Default 2. */
  readonly atLeast?: number | undefined
}

export interface ServiceSettings {
  readonly strategy: PickStrategy
  readonly zone: ZoneRule | undefined
  readonly shun: ShunRules
  readonly guard: GuardRules
  readonly coalesceMs: number
}

/** The options of a view, checked and completed. */
export function resolveService(options: ServiceOptions, what: string): ServiceSettings {
  const settings = resolveOptions(serviceTable, options, what)
  if (settings.strategy === 'zone' && settings.zone === undefined) {
    throw new ZookeeperError('config-invalid', `${what}.zone: expected { name } for the strategy 'zone'`)
  }
  return settings
}

const hour = 3_600_000

const zoneTable: OptionTable<ZoneRule> = {
  name: checked(readZone, ''),
  atLeast: count({ default: 2, min: 1, max: 100_000 }),
}

const serviceTable: OptionTable<ServiceSettings> = {
  strategy: oneOf(['round-robin', 'random', 'sticky', 'least-busy', 'zone'], 'round-robin'),
  zone: whenGiven(group(zoneTable)),
  // Envoy's numbers: five in a row (`consecutive_5xx`), and then thirty seconds of rest (`base_ejection_time`); Finagle
  // counts to five as well. Curator's two errors in thirty seconds leave out whoever is busy.
  shun: group<ShunRules>({
    errors: count({ default: 5, min: 1, max: 1_000 }),
    restMs: milliseconds({ default: 30_000, min: 1, max: hour }),
  }),
  guard: group<GuardRules>({
    // Longer than a session of ten seconds takes to end and to begin anew.
    graceMs: milliseconds({ default: 15_000, min: 0, max: hour }),
    share: checked(readShare, 0.5),
  }),
  coalesceMs: milliseconds({ default: 100, min: 0, max: 60_000 }),
}

function readZone(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new ZookeeperError('config-invalid', `${path}: expected the name of the zone that this client is in`)
}

function readShare(value: unknown, path: string): number {
  if (value === undefined) return 0.5
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  throw new ZookeeperError('config-invalid', `${path}: expected a number from 0 to 1`)
}
