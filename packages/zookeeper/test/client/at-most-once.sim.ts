import { isSoak, seededRandom, simulationSeeds } from '@ha/core/testing'
import type { RequestPosition, Rule } from '@ha/testing/zookeeper'
import { describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { openWorld, type World } from '../properties/world.ts'

const seeds = simulationSeeds(150)

/** A write, and how often what it was to bring about is there. */
interface Write {
  readonly name: string
  /** The servers' names for what it sends. */
  readonly ops: readonly string[]
  /** Whether it may end unknown while the session lives and there is time. */
  readonly mayBeUnknown: boolean
  readonly run: (client: Zookeeper, folder: string) => Promise<unknown>
  readonly times: (world: World, folder: string) => number
}

const nodeAt = ({ ensemble }: World, path: string): string | undefined =>
  ensemble.tree().get(path)?.data?.toString()
const created = ['create', 'create2'] as const
const hasNew = (world: World, folder: string): number => (nodeAt(world, `${folder}/set`) === 'new' ? 1 : 0)
const versionOf = ({ ensemble }: World, path: string): number => ensemble.tree().get(path)?.stat.version ?? 0

const writes: readonly Write[] = [
  {
    name: 'create',
    ops: created,
    mayBeUnknown: true,
    run: (client, folder) => client.create(`${folder}/new`, 'x'),
    times: (world, folder) => (nodeAt(world, `${folder}/new`) === undefined ? 0 : 1),
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
    times: (world, folder) => versionOf(world, `${folder}/set`),
  },
  {
    name: 'set of version 0',
    ops: ['set-data'],
    mayBeUnknown: true,
    run: (client, folder) => client.set(`${folder}/set`, 'new', { version: 0 }),
    times: (world, folder) => versionOf(world, `${folder}/set`),
  },
  {
    name: 'delete',
    ops: ['delete'],
    mayBeUnknown: true,
    run: (client, folder) => client.delete(`${folder}/set`),
    times: (world, folder) => (nodeAt(world, `${folder}/set`) === undefined ? 1 : 0),
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
    times: (world, folder) => hasNew(world, folder),
  },
]

describe('a write whose connection is cut', () => {
  it.each(writes)(
    `$name: is done once, or known not to be, or unknown where that is so (${seeds.length} runs)`,
    {
      timeout: 60_000,
    },
    async (write) => {
      await using world = await openWorld()
      const { client } = world.member({ sessionTimeoutMs: 10_000, backoff: { maxMs: 50 } })
      const other = world.member().client
      await world.inTime(client.ready())
      const outcomes = new Set<string>()
      for (const seed of seeds) {
        const cut = await cutAt(world, client, other, write, seed)
        expect(lieOf(write, cut), `seed ${seed}; HA_SEED=${seed} replays it`).toBeUndefined()
        outcomes.add(cut.outcome)
      }
      // A dose of the seeds may cut every run before its end.
      if (isSoak()) expect(outcomes).toContain('done')
      if (isSoak() && write.mayBeUnknown) expect(outcomes).toContain('unknown')
    },
  )
})

/** What became of a write, by its caller and by the servers. */
interface Cut {
  readonly outcome: string
  readonly times: number
  /** Whether any of it has reached a server. */
  readonly mayBeDone: boolean
}

// What the caller was told wrongly.
function lieOf({ mayBeUnknown }: Write, { outcome, times, mayBeDone }: Cut): string | undefined {
  if (times > 1) return `done ${times} times`
  if (outcome === 'done') return times === 1 ? undefined : 'said to be done, and it is not'
  if (outcome === 'not-done') return times === 0 ? undefined : 'said not to be done, and it is'
  if (!mayBeUnknown) return `said to be ${outcome}, although it could be known`
  return mayBeDone ? undefined : `said to be ${outcome}, although nobody can have done it`
}

// One to three cuts in a row, each at its own place of the request or of its answer.
async function cutAt(
  world: World,
  client: Zookeeper,
  other: Zookeeper,
  write: Write,
  seed: number,
): Promise<Cut> {
  const random = seededRandom(seed)
  const folder = `/${write.name.replaceAll(' ', '-')}-${seed}`
  await world.inTime(other.create(folder))
  await world.inTime(other.create(`${folder}/set`, 'old'))
  await world.inTime(client.sync())
  const cuts = Array.from({ length: 1 + Math.floor(random() * 3) }, () => cutOf(random))
  const { log } = world.ensemble
  log.clear()
  const removals = cuts.map(({ rule }) =>
    world.ensemble.script({ ...rule, when: { op: write.ops, times: 1 } } as Rule),
  )
  const outcome = await world.inTime(
    write.run(client, folder).then(
      () => 'done',
      (error: { readonly outcome: string }) => error.outcome,
    ),
  )
  for (const remove of removals) remove()
  // What reached a server may come late: nothing may be done after the answer that says that it was not.
  await world.clock.advance(20)
  const reached = log.entries().filter(({ op }) => write.ops.includes(op))
  const times = write.times(world, folder)
  await world.inTime(other.delete(folder, { recursive: true }))
  return { outcome, times, mayBeDone: reached.length > 0 }
}

function cutOf(random: () => number): { readonly rule: Omit<Rule, 'when'> } {
  const at = edgeOf(random)
  const end = random()
  if (end < 0.1) return { rule: { do: 'silence', at } as Omit<Rule, 'when'> }
  return { rule: { do: 'cut', how: end < 0.55 ? 'reset' : 'end', at } as Omit<Rule, 'when'> }
}

// Requests and answers have a hundred bytes and more; a place behind the last byte is behind all of it.
function edgeOf(random: () => number): RequestPosition {
  const place = random()
  const byte = Math.floor(random() * 200)
  if (place < 0.4) return { requestByte: byte }
  if (place < 0.8) return { answerByte: byte }
  return place < 0.9 ? 'before' : 'unanswered'
}
