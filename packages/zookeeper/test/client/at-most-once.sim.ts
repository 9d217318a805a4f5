import { isSoak, seededRandom, simulationSeeds } from '@ha/core/testing'
import type { RequestPosition, Rule } from '@ha/testing/zookeeper'
import { describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type Harness, openHarness } from '../harness.ts'

const seeds = simulationSeeds(150)

/** A write, and how to count its effects. */
interface Write {
  readonly name: string
  /** The operations that it sends, in the servers' terms. */
  readonly ops: readonly string[]
  /** Whether its outcome may be unknown while the session lives and time is left. */
  readonly mayBeUnknown: boolean
  readonly run: (client: Zookeeper, folder: string) => Promise<unknown>
  readonly times: (harness: Harness, folder: string) => number
}

const nodeAt = ({ ensemble }: Harness, path: string): string | undefined =>
  ensemble.tree().get(path)?.data?.toString()
const created = ['create', 'create2'] as const
const hasNew = (harness: Harness, folder: string): number =>
  nodeAt(harness, `${folder}/set`) === 'new' ? 1 : 0
const versionOf = ({ ensemble }: Harness, path: string): number =>
  ensemble.tree().get(path)?.stat.version ?? 0

const writes: readonly Write[] = [
  {
    name: 'create',
    ops: created,
    mayBeUnknown: true,
    run: (client, folder) => client.create(`${folder}/new`, 'x'),
    times: (harness, folder) => (nodeAt(harness, `${folder}/new`) === undefined ? 0 : 1),
  },
  {
    name: 'sequential create',
    ops: created,
    mayBeUnknown: false,
    run: (client, folder) => client.create(`${folder}/n-`, 'x', { sequential: true }),
    times: ({ ensemble }, folder) =>
      [...ensemble.tree().keys()].filter((path) => path.startsWith(`${folder}/_c_`)).length,
  },
  {
    name: 'set',
    ops: ['set-data'],
    mayBeUnknown: true,
    run: (client, folder) => client.set(`${folder}/set`, 'new'),
    times: (harness, folder) => versionOf(harness, `${folder}/set`),
  },
  {
    name: 'set of version 0',
    ops: ['set-data'],
    mayBeUnknown: true,
    run: (client, folder) => client.set(`${folder}/set`, 'new', { version: 0 }),
    times: (harness, folder) => versionOf(harness, `${folder}/set`),
  },
  {
    name: 'delete',
    ops: ['delete'],
    mayBeUnknown: true,
    run: (client, folder) => client.delete(`${folder}/set`),
    times: (harness, folder) => (nodeAt(harness, `${folder}/set`) === undefined ? 1 : 0),
  },
  {
    name: 'multi',
    ops: ['multi'],
    mayBeUnknown: true,
    run: (client, folder) =>
      client.multi([
        { kind: 'set', path: `${folder}/set`, data: 'new' },
        { kind: 'create', path: `${folder}/new` },
      ]),
    times: (harness, folder) => hasNew(harness, folder),
  },
]

describe('a write whose connection is cut', () => {
  it.each(writes)(
    `$name: is done once, or known not to be, or unknown where that is so (${seeds.length} runs)`,
    {
      timeout: 60_000,
    },
    async (write) => {
      await using harness = await openHarness()
      const { client } = harness.member({ sessionTimeoutMs: 10_000, backoff: { maxMs: 50 } })
      const other = harness.member().client
      await harness.inTime(client.ready())
      const outcomes = new Set<string>()
      for (const seed of seeds) {
        const cut = await cutAt(harness, client, other, write, seed)
        expect(lieOf(write, cut), `seed ${seed}; HA_SEED=${seed} replays it`).toBeUndefined()
        outcomes.add(cut.outcome)
      }
      // A reduced number of seeds may cut every run before its end.
      if (isSoak()) expect(outcomes).toContain('done')
      if (isSoak() && write.mayBeUnknown) expect(outcomes).toContain('unknown')
    },
  )
})

/** The outcome of a write, for its caller and on the servers. */
interface Cut {
  readonly outcome: string
  readonly times: number
  /** Whether any part of it has reached a server. */
  readonly mayBeDone: boolean
}

// The difference between what the caller was told and what happened.
function lieOf({ mayBeUnknown }: Write, { outcome, times, mayBeDone }: Cut): string | undefined {
  if (times > 1) return `done ${times} times`
  if (outcome === 'done') return times === 1 ? undefined : 'said to be done, and it is not'
  if (outcome === 'not-done') return times === 0 ? undefined : 'said not to be done, and it is'
  if (!mayBeUnknown) return `said to be ${outcome}, although it could be known`
  return mayBeDone ? undefined : `said to be ${outcome}, although nobody can have done it`
}

// One to three cuts in a row, each at its own position of the request or of the reply.
async function cutAt(
  harness: Harness,
  client: Zookeeper,
  other: Zookeeper,
  write: Write,
  seed: number,
): Promise<Cut> {
  const random = seededRandom(seed)
  const folder = `/${write.name.replaceAll(' ', '-')}-${seed}`
  await harness.inTime(other.create(folder))
  await harness.inTime(other.create(`${folder}/set`, 'old'))
  await harness.inTime(client.sync())
  const cuts = Array.from({ length: 1 + Math.floor(random() * 3) }, () => cutOf(random))
  const { log } = harness.ensemble
  log.clear()
  const removals = cuts.map(({ rule }) =>
    harness.ensemble.script({ ...rule, when: { op: write.ops, times: 1 } } as Rule),
  )
  const outcome = await harness.inTime(
    write.run(client, folder).then(
      () => 'done',
      (error: { readonly outcome: string }) => error.outcome,
    ),
  )
  for (const remove of removals) remove()
  // A request that has reached a server may be executed late: nothing may happen after the caller was told that it did
  // not.
  await harness.clock.advance(20)
  const reached = log.entries().filter(({ op }) => write.ops.includes(op))
  const times = write.times(harness, folder)
  await harness.inTime(other.delete(folder, { recursive: true }))
  return { outcome, times, mayBeDone: reached.length > 0 }
}

function cutOf(random: () => number): { readonly rule: Omit<Rule, 'when'> } {
  const at = edgeOf(random)
  const end = random()
  if (end < 0.1) return { rule: { do: 'silence', at } as Omit<Rule, 'when'> }
  return { rule: { do: 'cut', how: end < 0.55 ? 'reset' : 'end', at } as Omit<Rule, 'when'> }
}

// Requests and replies have a hundred bytes and more; a position behind the last byte is behind the whole packet.
function edgeOf(random: () => number): RequestPosition {
  const place = random()
  const byte = Math.floor(random() * 200)
  if (place < 0.4) return { requestByte: byte }
  if (place < 0.8) return { answerByte: byte }
  return place < 0.9 ? 'before' : 'unanswered'
}
