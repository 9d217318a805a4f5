import type { OperationRecord, WriteVerdict } from '../harness/traffic.ts'
import type { Contents } from './contents.ts'

/** What is done: a node with a name of its own, one that the server numbers, a write with its version, a look. */
export type OpKind = 'create' | 'sequence' | 'set' | 'read'

/** What became of one operation. */
export interface Op extends OperationRecord {
  readonly kind: OpKind
  /** Which register a `set` is for. */
  readonly register: number | undefined
}

/** What the log proves. */
export interface LogVerdict extends WriteVerdict {
  /** Sequential nodes that one call made more than once. */
  readonly twice: number
  /** Servers that do not hold what the first one holds. */
  readonly unequalServers: number
  /** How often which rejection was shown. */
  readonly rejections: Readonly<Record<string, number>>
}

/** Whether it changes something. */
export function isWrite(kind: OpKind): boolean {
  return kind !== 'read'
}

/** Checks the outcomes that the client reported against what every server holds. */
export function checkLog(ops: readonly Op[], contents: readonly Contents[]): LogVerdict {
  const writes = ops.filter(({ kind }) => isWrite(kind))
  const reads = ops.filter(({ kind }) => !isWrite(kind))
  const nodes = checkNodes(ops, contents)
  const registers = checkRegisters(ops, contents)
  return {
    writes: writes.length,
    done: count(writes, 'done'),
    notDone: count(writes, 'not-done'),
    unknown: count(writes, 'unknown'),
    unknownButThere: nodes.unknownButThere + registers.unknownButThere,
    unsettled: count(ops, 'unsettled'),
    lost: nodes.lost + registers.lost,
    twice: nodes.twice,
    wronglyNotDone: nodes.wronglyNotDone + registers.wronglyNotDone,
    unequalServers: contents.filter((each) => fingerprint(each) !== fingerprint(contents[0] ?? each)).length,
    reads: reads.length,
    failedReads: count(reads, 'not-done') + count(reads, 'unknown'),
    rejections: rejectionsOf(ops),
  }
}

type WriteChecks = Pick<LogVerdict, 'lost' | 'wronglyNotDone' | 'unknownButThere'>

function checkNodes(
  ops: readonly Op[],
  contents: readonly Contents[],
): WriteChecks & { readonly twice: number } {
  const made = ops.filter(({ kind }) => kind === 'create' || kind === 'sequence')
  const copies = contents.map(copiesOf)
  const most = (op: Op): number => Math.max(0, ...copies.map((each) => each.get(keyOf(op)) ?? 0))
  const least = (op: Op): number => Math.min(...copies.map((each) => each.get(keyOf(op)) ?? 0))
  const how = (outcome: Op['outcome'], is: (op: Op) => boolean): number =>
    made.filter((op) => op.outcome === outcome && is(op)).length
  return {
    lost: how('done', (op) => least(op) === 0),
    wronglyNotDone: how('not-done', (op) => most(op) > 0),
    unknownButThere: how('unknown', (op) => most(op) > 0),
    twice: made.filter((op) => most(op) > 1).length,
  }
}

// Each write makes the version one more: the versions say how many happened.
function checkRegisters(ops: readonly Op[], contents: readonly Contents[]): WriteChecks {
  const sets = ops.filter(({ kind }) => kind === 'set')
  const sum = (of: (index: number) => number): number =>
    (contents[0]?.registers ?? []).reduce((total, _, index) => total + Math.max(0, of(index)), 0)
  const versions = (index: number): readonly number[] =>
    contents.map(({ registers }) => registers[index]?.version ?? 0)
  const countOf = (index: number, outcomes: readonly Op['outcome'][]): number =>
    sets.filter(({ register, outcome }) => register === index && outcomes.includes(outcome)).length
  const possible = ['done', 'unknown', 'unsettled'] as const
  return {
    lost: sum((index) => countOf(index, ['done']) - Math.min(...versions(index))),
    wronglyNotDone: sum((index) => Math.max(...versions(index)) - countOf(index, possible)),
    unknownButThere: sum((index) =>
      Math.min(countOf(index, ['unknown']), Math.max(...versions(index)) - countOf(index, ['done'])),
    ),
  }
}

function count(ops: readonly Op[], outcome: Op['outcome']): number {
  return ops.filter((op) => op.outcome === outcome).length
}

function keyOf({ kind, id }: Pick<Op, 'kind' | 'id'>): string {
  return `${kind} ${id}`
}

function copiesOf({ creates, sequences }: Contents): ReadonlyMap<string, number> {
  const copies = new Map<string, number>()
  const add = (kind: OpKind, id: string | undefined): void => {
    if (id === undefined) return
    const key = keyOf({ kind, id: Number(id) })
    copies.set(key, (copies.get(key) ?? 0) + 1)
  }
  for (const name of creates) add('create', /^c-(\d+)$/.exec(name)?.[1])
  // Before it is the mark of a protected create, behind it the number of the server.
  for (const name of sequences) add('sequence', /s-(\d+)-\d{10}$/.exec(name)?.[1])
  return copies
}

function rejectionsOf(ops: readonly Op[]): LogVerdict['rejections'] {
  const rejections: Record<string, number> = {}
  for (const { kind, outcome, error } of ops) {
    if (error === undefined) continue
    const name = `${kind} ${outcome}: ${error}`
    rejections[name] = (rejections[name] ?? 0) + 1
  }
  return rejections
}

function fingerprint({ creates, sequences, registers }: Contents): string {
  return JSON.stringify([[...creates].sort(), [...sequences].sort(), registers])
}
