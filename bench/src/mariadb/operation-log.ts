import type { OperationRecord, WriteVerdict } from '../harness/traffic.ts'
import { type Contents, startBalance, type Transfer } from './tables.ts'

/** What is done: a row of its own, money from one account to another, a look, or a look at what was just written. */
export type OpKind = 'insert' | 'transfer' | 'read' | 'own-read'

/** What became of one operation. */
export interface Op extends OperationRecord {
  readonly kind: OpKind
  /** A look that did not show what the same client had written before. */
  readonly stale: boolean
}

/** What the log proves. */
export interface LogVerdict extends WriteVerdict {
  /** On a node more than once. */
  readonly twice: number
  /** Nodes on which a balance is not what the journal makes it, or the sum is not what it was. */
  readonly wrongSums: number
  /** Nodes that do not hold what the first one holds. */
  readonly unequalNodes: number
  readonly staleReads: number
  /** How often which rejection was shown, and how many of those operations had happened all the same. */
  readonly rejections: Readonly<Record<string, { readonly shown: number; readonly there: number }>>
}

/** Checks the outcomes that the client reported against what every node holds. */
export function checkLog(ops: readonly Op[], contents: readonly Contents[]): LogVerdict {
  const writes = ops.filter(({ kind }) => isWrite(kind))
  const reads = ops.filter(({ kind }) => !isWrite(kind))
  const copies = contents.map(copiesOf)
  const most = (op: Op): number => Math.max(0, ...copies.map((each) => each[op.kind]?.get(op.id) ?? 0))
  const least = (op: Op): number => Math.min(...copies.map((each) => each[op.kind]?.get(op.id) ?? 0))
  const count = (among: readonly Op[], is: (op: Op) => boolean): number => among.filter(is).length
  return {
    writes: writes.length,
    done: count(writes, ({ outcome }) => outcome === 'done'),
    notDone: count(writes, ({ outcome }) => outcome === 'not-done'),
    unknown: count(writes, ({ outcome }) => outcome === 'unknown'),
    unknownButThere: count(writes, (op) => op.outcome === 'unknown' && most(op) > 0),
    unsettled: count(ops, ({ outcome }) => outcome === 'unsettled'),
    lost: count(writes, (op) => op.outcome === 'done' && least(op) === 0),
    twice: count(writes, (op) => most(op) > 1),
    wronglyNotDone: count(writes, (op) => op.outcome === 'not-done' && most(op) > 0),
    wrongSums: contents.filter((each) => !isSumExact(each)).length,
    unequalNodes: contents.filter((each) => fingerprint(each) !== fingerprint(contents[0] ?? each)).length,
    reads: reads.length,
    failedReads: count(reads, ({ outcome }) => outcome === 'not-done' || outcome === 'unknown'),
    staleReads: count(reads, ({ stale }) => stale),
    rejections: rejectionsOf(ops, (op) => most(op) > 0),
  }
}

/** Whether it changes something. */
export function isWrite(kind: OpKind): boolean {
  return kind === 'insert' || kind === 'transfer'
}

function rejectionsOf(ops: readonly Op[], isThere: (op: Op) => boolean): LogVerdict['rejections'] {
  const rejections: Record<string, { shown: number; there: number }> = {}
  for (const op of ops) {
    if (op.error === undefined) continue
    const name = `${op.kind} ${op.outcome}: ${op.error}`
    const { shown, there } = rejections[name] ?? { shown: 0, there: 0 }
    rejections[name] = { shown: shown + 1, there: there + (isThere(op) ? 1 : 0) }
  }
  return rejections
}

type Copies = Partial<Record<OpKind, ReadonlyMap<number, number>>>

function copiesOf({ rows, journal }: Contents): Copies {
  return { insert: counted(rows), transfer: counted(journal.map(({ id }) => id)) }
}

function counted(ids: readonly number[]): ReadonlyMap<number, number> {
  const copies = new Map<number, number>()
  for (const id of ids) copies.set(id, (copies.get(id) ?? 0) + 1)
  return copies
}

// Each balance follows from the journal: a transfer that was applied in half, or twice, shows.
function isSumExact({ journal, balances }: Contents): boolean {
  const due = new Map([...balances.keys()].map((account) => [account, startBalance]))
  const book = (account: number, amount: number): void => {
    due.set(account, (due.get(account) ?? 0) + amount)
  }
  for (const { source, target, amount } of journal) {
    book(source, -amount)
    book(target, amount)
  }
  const sum = [...balances.values()].reduce((total, balance) => total + balance, 0)
  return (
    sum === balances.size * startBalance &&
    [...balances].every(([account, balance]) => due.get(account) === balance)
  )
}

function fingerprint({ rows, journal, balances }: Contents): string {
  const byNumber = (a: number, b: number): number => a - b
  const byId = (a: Transfer, b: Transfer): number => a.id - b.id
  return JSON.stringify([
    [...rows].sort(byNumber),
    [...journal].sort(byId),
    [...balances].sort((a, b) => a[0] - b[0]),
  ])
}
