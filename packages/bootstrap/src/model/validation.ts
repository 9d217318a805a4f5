import { milliseconds, Problems } from '@ha/core/driver'
import { labError } from './errors.ts'
import type { KindName } from './plan.ts'

/** The longest fault: a week. */
const maxFaultMs = 604_800_000
/** The longest silence that servers can be configured to tolerate: a minute. */
const maxDetectMs = 60_000
/** The longest wait: a day. */
const maxWaitMs = 86_400_000

/** Returns the duration of a fault, or throws an error with the expected range; `where` names the option. */
export function checkFaultMs(value: unknown, where: string, fallback: number): number {
  return checkMs(value, where, { default: fallback, min: 1, max: maxFaultMs })
}

/** Returns the detection time of the servers, null when none was given; or throws an error with the expected range. */
export function checkDetectMs(value: number | undefined, leastMs: number): number | null {
  if (value === undefined) return null
  if (!Number.isInteger(value) || value < leastMs || value > maxDetectMs) {
    throw labError(
      'config-invalid',
      `detectMs: expected ${leastMs} to ${maxDetectMs} milliseconds, got ${value}`,
    )
  }
  return value
}

/** Returns the limit of a wait, or throws an error with the expected range; `where` names the option. */
export function checkWaitMs(value: unknown, where: string, fallback: number): number {
  return checkMs(value, where, { default: fallback, min: 1, max: maxWaitMs })
}

function checkMs(
  value: unknown,
  where: string,
  range: { readonly default: number; readonly min: number; readonly max: number },
): number {
  const problems = new Problems()
  const ms = milliseconds(range).read(value, where, problems)
  problems.throwIfAny()
  return ms
}

// The name is a folder, an Erlang short name and a shell argument; 31 letters leave room in a socket path.
const wellFormed = /^[a-z][a-z0-9-]{0,30}$/

/** Whether the text is a valid name of a lab or of a node. */
export function isName(name: string): boolean {
  return wellFormed.test(name)
}

/** Returns the name when it is valid; `what`, either `lab` or `node`, appears in the error. */
export function checkName(name: string, what: string): string {
  if (!isName(name)) {
    throw labError(
      'config-invalid',
      `'${name}' is not a valid ${what} name: use a lower-case letter first, then up to 30 letters, digits or dashes`,
    )
  }
  return name
}

/** The names of the nodes: those given, or `stem1`, `stem2` and so on. */
export function nodeNames(nodes: number | readonly string[], stem: string, most: number): readonly string[] {
  const count = typeof nodes === 'number' ? nodes : nodes.length
  if (!Number.isInteger(count) || count < 1 || count > most) {
    throw labError('config-invalid', `nodes: expected 1 to ${most} nodes, got ${count}`)
  }
  if (typeof nodes === 'number') return Array.from({ length: count }, (_, i) => `${stem}${i + 1}`)
  for (const [at, name] of nodes.entries()) {
    checkName(name, 'node')
    if (nodes.indexOf(name) !== at) {
      throw labError('name-taken', `nodes: two nodes have the name '${name}'; names must be unique`)
    }
  }
  return [...nodes]
}

// An idle node of RabbitMQ 3.10.8, MariaDB 10.11 or ZooKeeper 3.8 takes 120 MiB, and about 200 under the traffic of a
// drill.
const mibPerNode = 200

/** Rejects a lab for which too little memory is available; an unknown amount is accepted. */
export function checkMemory(availableMib: number | undefined, nodes: number, kind: KindName): void {
  const neededMib = nodes * mibPerNode
  if (availableMib === undefined || availableMib >= neededMib) return
  throw labError(
    'memory-short',
    `${nodes} nodes need ${neededMib} MiB of memory and ${availableMib} MiB are available; ` +
      `end other programs, or run: hactl up ${kind} --nodes 1`,
  )
}

// Estimates: about twice what the folder of a node takes after its start. RabbitMQ also keeps 50 MB free before it blocks publishers.
const diskMibPerNode: Readonly<Record<KindName, number>> = {
  rabbitmq: 30,
  galera: 150,
  replication: 100,
  zookeeper: 5,
}
const diskReserveMib: Partial<Readonly<Record<KindName, number>>> = { rabbitmq: 50 }

/** Rejects a lab for whose data too little disk space is free; an unknown amount is accepted. */
export function checkDisk(
  free: { readonly folder: string; readonly mib: number | undefined },
  nodes: number,
  kind: KindName,
): void {
  const neededMib = nodes * diskMibPerNode[kind] + (diskReserveMib[kind] ?? 0)
  if (free.mib === undefined || free.mib >= neededMib) return
  throw labError(
    'disk-short',
    `${nodes} nodes need ${neededMib} MiB of disk space and ${free.mib} MiB are free for ${free.folder}; ` +
      `remove other files, set HACTL_HOME to a folder on another disk, or start fewer nodes`,
  )
}

const unitsMs: readonly (readonly [unit: string, ms: number])[] = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]

/** Parses `500ms`, `1s`, `1.5s`, `5m` or `2h` to whole milliseconds; `what` names the option in the error. */
export function parseDuration(text: string, what: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text.trim())
  const unitMs = unitsMs.find(([unit]) => unit === match?.[2])?.[1]
  const ms = Math.round(Number(match?.[1]) * (unitMs ?? Number.NaN))
  if (!Number.isSafeInteger(ms) || ms <= 0) {
    throw labError(
      'usage',
      `${what}: '${text}' is not a duration; expected a value like 500ms, 1s, 30s or 5m`,
    )
  }
  return ms
}

/** The shortest exact notation of a duration, in the largest unit that divides it: 90000 is `90s`, 300000 is `5m`. */
export function formatDuration(ms: number): string {
  const fitting = unitsMs.find(([, unitMs]) => ms >= unitMs && ms % unitMs === 0)
  return fitting === undefined ? `${ms}ms` : `${ms / fitting[1]}${fitting[0]}`
}

/** A measured duration as text: `840 ms`, `6.2 s`. */
export function formatElapsed(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
