import { darkMs, longestSilences, type Silence } from '../harness/stats.ts'
import type { ClientEvent, WorkerResult } from '../harness/worker.ts'
import type { Contents } from './contents.ts'
import { checkLog, isWrite, type LogVerdict, type Op } from './operation-log.ts'
import type { ClientRunResult } from './traffic.ts'

/** When something was broken, and when its healing began. */
export interface FaultWindow {
  readonly faultAtMs: number
  readonly healedAtMs: number
}

/** The result of one client. */
export interface ClientResult {
  readonly name: string
  /** The longest silence between writes that began before the healing; undefined when they never came back. */
  readonly darkMs: number | undefined
  /** The longest silences between writes: when they began after the fault, and how long they were. */
  readonly silences: readonly Silence[]
  /** From the fault until it was attached to another server; undefined when it stayed where it was. */
  readonly movedAfterMs: number | undefined
  /** Whether the session that it began with lived on. */
  readonly isSessionKept: boolean
  /** The states that it reported, from the fault on. */
  readonly states: readonly string[]
  /** Operations that took more than their deadline and a little, or never settled. */
  readonly hung: number
  readonly verdict: LogVerdict
  readonly unhandled: readonly string[]
  readonly events: readonly ClientEvent[]
  readonly ops: readonly Op[]
}

/** Derives the result of a client from its log, its events and the tree. */
export function clientResult(
  name: string,
  {
    result: { ops, events, unhandled },
    contents,
    window: { faultAtMs, healedAtMs },
    deadlineMs,
  }: {
    readonly result: WorkerResult<ClientRunResult>
    readonly contents: readonly Contents[]
    readonly window: FaultWindow
    readonly deadlineMs: number
  },
): ClientResult {
  const writes = writeInstants(ops)
  const since = events.filter(({ atMs }) => atMs >= faultAtMs)
  const moved = since.find((event) => event.name === 'attached')
  return {
    name,
    darkMs: writes.some((atMs) => atMs > healedAtMs) ? darkMs(writes, faultAtMs, healedAtMs) : undefined,
    silences: longestSilences(writes, faultAtMs, 5),
    movedAfterMs: moved === undefined ? undefined : moved.atMs - faultAtMs,
    isSessionKept: isSessionKept(events),
    states: since.flatMap(({ name: event, facts }) => (event === 'state' ? [String(facts['state'])] : [])),
    hung: ops.filter((op) => isHung(op, deadlineMs)).length,
    verdict: checkLog(ops, contents),
    unhandled,
    events,
    ops,
  }
}

/** Whether there was one session, without a report that it was lost. */
export function isSessionKept(events: readonly ClientEvent[]): boolean {
  const ids = new Set(events.flatMap(({ name, facts }) => (name === 'session' ? [facts['id']] : [])))
  return ids.size === 1 && !events.some(({ name }) => name === 'session lost')
}

/** When writes were acknowledged. */
export function writeInstants(ops: readonly Op[]): readonly number[] {
  return doneAt(ops.filter(({ kind }) => isWrite(kind)))
}

/** When reads were answered. */
export function readInstants(ops: readonly Op[]): readonly number[] {
  return doneAt(ops.filter(({ kind }) => !isWrite(kind)))
}

function doneAt(ops: readonly Op[]): readonly number[] {
  return ops.flatMap(({ outcome, settledAtMs }) =>
    outcome === 'done' && settledAtMs !== undefined ? [settledAtMs] : [],
  )
}

// What a busy machine may add before a timer fires.
const graceMs = 500

function isHung({ startedAtMs, settledAtMs }: Op, deadlineMs: number): boolean {
  return settledAtMs === undefined || settledAtMs - startedAtMs > deadlineMs + graceMs
}
