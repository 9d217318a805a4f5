import type { NotedOp } from '../harness/noted-op.ts'
import { Traffic } from '../harness/traffic.ts'
import type { Contestant } from './contestant.ts'
import { isWrite, type Op, type OpKind } from './ledger.ts'
import { accounts } from './tables.ts'

/** Operations in a second, of each kind. */
export type Rates = Readonly<Record<OpKind, number>>

type OpTraffic = Traffic<Omit<Op, keyof NotedOp>>

/** Has a contestant work at steady rates. */
export function startTraffic(contestant: Contestant, rates: Rates): OpTraffic {
  const traffic: OpTraffic = new Traffic({ isWrite, explain: (error) => contestant.explain(error) })
  // A contestant that knows no more than inserts has only those to do.
  const possible = contestant.more === undefined ? { ...noRates, insert: rates.insert } : rates
  traffic.start(possible, (kind) => begin(kind, contestant, traffic))
  return traffic
}

const noRates: Rates = { insert: 0, transfer: 0, read: 0, 'own-read': 0 }

function begin(kind: OpKind, contestant: Contestant, traffic: OpTraffic): Promise<unknown> {
  const { more } = contestant
  const deed = { kind, stale: false }
  switch (kind) {
    case 'insert':
      return traffic.note(deed, (id) => contestant.insert(id))
    case 'transfer':
      return traffic.note(deed, async (id) => more?.transfer(someTransfer(id)))
    case 'read':
      return traffic.note(deed, async () => more?.read(someAccount()))
    case 'own-read':
      return writeAndLook(contestant, traffic)
  }
}

async function writeAndLook(contestant: Contestant, traffic: OpTraffic): Promise<void> {
  const written = await traffic.note({ kind: 'insert', stale: false }, (id) => contestant.insert(id))
  if (written === undefined) return
  await traffic.note(
    { kind: 'own-read', stale: false },
    async () => contestant.more?.readOwn(written.id),
    (isSeen) => ({ kind: 'own-read', stale: isSeen === false }),
  )
}

function someAccount(): number {
  return Math.floor(Math.random() * accounts)
}

function someTransfer(id: number): { id: number; source: number; target: number; amount: number } {
  const source = someAccount()
  const target = (source + 1 + Math.floor(Math.random() * (accounts - 1))) % accounts
  return { id, source, target, amount: 1 + Math.floor(Math.random() * 10) }
}
