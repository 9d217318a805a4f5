import type { NotedOp } from '../harness/noted-op.ts'
import { Traffic } from '../harness/traffic.ts'
import { registerCount } from './contents.ts'
import type { Contestant } from './contestant.ts'
import { isWrite, type Op, type OpKind } from './ledger.ts'

/** Operations in a second, of each kind. */
export type Rates = Readonly<Record<OpKind, number>>

type OpTraffic = Traffic<Omit<Op, keyof NotedOp>>

/** The version of each register that nobody writes at the moment; undefined when it has to be looked up. */
type IdleRegisters = Map<number, number | undefined>

/** Has a contestant work at steady rates. */
export function startTraffic(contestant: Contestant, rates: Rates): OpTraffic {
  const traffic: OpTraffic = new Traffic({ isWrite, explain: (error) => contestant.explain(error) })
  const idle: IdleRegisters = new Map(Array.from({ length: registerCount }, (_, i) => [i, undefined]))
  // A contestant that knows no more than creates and reads has only those to do.
  const possible = contestant.more === undefined ? { ...rates, sequence: 0, set: 0 } : rates
  traffic.start(possible, (kind) => begin(kind, { contestant, traffic, idle }))
  return traffic
}

interface Work {
  readonly contestant: Contestant
  readonly traffic: OpTraffic
  readonly idle: IdleRegisters
}

function begin(kind: OpKind, work: Work): Promise<unknown> {
  const { contestant, traffic } = work
  const deed = { kind, register: undefined }
  switch (kind) {
    case 'create':
      return traffic.note(deed, (id) => contestant.create(id))
    case 'sequence':
      return traffic.note(deed, async (id) => contestant.more?.sequence(id))
    case 'read':
      return traffic.note(deed, () => contestant.read(Math.floor(Math.random() * registerCount)))
    case 'set':
      return setOne(work)
  }
}

// One after the other for each register: when all are being written, there is nothing to begin.
async function setOne({ contestant: { more }, traffic, idle }: Work): Promise<void> {
  const [first] = idle
  if (more === undefined || first === undefined) return
  const [register, known] = first
  idle.delete(register)
  const read = { kind: 'read', register: undefined } as const
  const version = known ?? (await traffic.note(read, () => more.versionOf(register)))?.result
  // Who cannot read it will try again when its turn comes.
  const next =
    version === undefined
      ? undefined
      : await traffic.note({ kind: 'set', register }, (id) => more.set(register, id, version))
  idle.set(register, next?.result)
}
