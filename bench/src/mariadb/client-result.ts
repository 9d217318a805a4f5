import { darkMs, longestSilences, quantile, type Silence, spread } from '../harness/stats.ts'
import type { ClientEvent, WorkerResult } from '../harness/worker.ts'
import { checkLog, isWrite, type LogVerdict, type Op } from './operation-log.ts'
import type { Contents } from './tables.ts'
import type { ClientRunResult } from './traffic.ts'

/** When a server was broken, when its healing began, and which: in a restart of all, each of them. */
export interface FaultWindow {
  readonly faultAtMs: number
  readonly healedAtMs: number
  /** `host:port`. */
  readonly victims: readonly string[]
}

/** The result of one client. */
export interface ClientResult {
  readonly name: string
  /** The longest silence between writes that began before the healing; undefined when they never came back. */
  readonly darkMs: number | undefined
  /** The longest silences between writes: when they began after the fault, and how long they were. */
  readonly silences: readonly Silence[]
  /** How much longer than in calm a read took, at the 99th percentile of those under way before writes went on. */
  readonly readExtraMs: number | undefined
  /** From the fault until the client held a victim to be down. */
  readonly downAfterMs: number | undefined
  /** The other servers that the client held for anything but up before the healing. */
  readonly suspected: readonly string[]
  readonly failovers: number
  readonly failbacks: number
  /** Operations that took more than ten seconds, or never settled. */
  readonly hung: number
  readonly verdict: LogVerdict
  readonly unhandled: readonly string[]
  readonly events: readonly ClientEvent[]
  readonly ops: readonly Op[]
}

/** Derives the result of a client from its log, its events and the tables. */
export function clientResult(
  name: string,
  {
    result: { ops, events, unhandled },
    contents,
    window,
  }: {
    readonly result: WorkerResult<ClientRunResult>
    readonly contents: readonly Contents[]
    readonly window: FaultWindow
  },
): ClientResult {
  const { faultAtMs, healedAtMs } = window
  const writes = writeInstants(ops)
  const isBack = writes.some((atMs) => atMs > healedAtMs)
  const silentMs = isBack ? darkMs(writes, faultAtMs, healedAtMs) : undefined
  return {
    name,
    darkMs: silentMs,
    silences: longestSilences(writes, faultAtMs, 5),
    readExtraMs: readExtra(ops, faultAtMs, silentMs ?? healedAtMs - faultAtMs),
    ...eventsDuring(events, window),
    hung: ops.filter(isHung).length,
    verdict: checkLog(ops, contents),
    unhandled,
    events,
    ops,
  }
}

const longMs = 10_000

function isHung({ startedAtMs, settledAtMs }: Op): boolean {
  return settledAtMs === undefined || settledAtMs - startedAtMs > longMs
}

/** When writes were acknowledged. */
export function writeInstants(ops: readonly Op[]): readonly number[] {
  return ops.flatMap(({ kind, outcome, settledAtMs }) =>
    isWrite(kind) && outcome === 'done' && settledAtMs !== undefined ? [settledAtMs] : [],
  )
}

/** When reads were answered. */
export function readInstants(ops: readonly Op[]): readonly number[] {
  return ops.flatMap(({ kind, outcome, settledAtMs }) =>
    !isWrite(kind) && outcome === 'done' && settledAtMs !== undefined ? [settledAtMs] : [],
  )
}

function readExtra(ops: readonly Op[], faultAtMs: number, darkForMs: number): number | undefined {
  const tookMs = (from: number, to: number): readonly number[] =>
    ops.flatMap(({ kind, startedAtMs, settledAtMs }) =>
      kind === 'read' && settledAtMs !== undefined && settledAtMs >= from && startedAtMs < to
        ? [settledAtMs - startedAtMs]
        : [],
    )
  const calm = spread(tookMs(0, faultAtMs - 500))
  const dark = quantile(tookMs(faultAtMs, faultAtMs + darkForMs), 0.99)
  return calm === undefined || dark === undefined ? undefined : dark - calm.median
}

type FromEvents = Pick<ClientResult, 'downAfterMs' | 'suspected' | 'failovers' | 'failbacks'>

function eventsDuring(
  events: readonly ClientEvent[],
  { faultAtMs, healedAtMs, victims }: FaultWindow,
): FromEvents {
  const since = events.filter(({ atMs }) => atMs >= faultAtMs)
  const hosts = since.filter(({ name, atMs }) => name === 'host' && atMs < healedAtMs)
  const isVictim = ({ facts }: ClientEvent): boolean => victims.includes(String(facts['endpoint']))
  const down = hosts.find((event) => isVictim(event) && event.facts['to'] === 'down')
  const suspected = hosts.filter((event) => !isVictim(event) && event.facts['from'] === 'up')
  return {
    downAfterMs: down === undefined ? undefined : down.atMs - faultAtMs,
    suspected: suspected.map(({ facts }) => `${facts['endpoint']} ${facts['to']}`),
    failovers: since.filter(({ name, atMs }) => name === 'failover' && atMs < healedAtMs).length,
    failbacks: since.filter(({ name }) => name === 'failback').length,
  }
}
