import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { type Cache, type Change, createZookeeper, type Zookeeper } from '@ha/zookeeper'
import { positive, readOptions } from '../harness/args.ts'
import { markdownTable, saveResults } from '../harness/report.ts'
import { Pace } from '../harness/timing.ts'
import { endpointsOf, withEnsemble } from './ensemble.ts'
import { ephemeralsBelow, readReliably } from './raw-session.ts'

const root = '/rolling'
const ephemeralCount = 500
const writesPerSecond = 50
const sessionTimeoutMs = 10_000
// What a cache may take to be equal again after the last restart.
const cachesMs = 2_000
const betweenMs = 1_000
const readyMs = 60_000

/** What a rolling restart came to. */
interface RestartResult {
  readonly watches: number
  readonly sessions: number
  /** Ephemerals that are there, and still the ones that were made first. */
  readonly sameEphemerals: number
  readonly writesDone: number
  readonly writesFailed: number
  /** Nodes of which the cache had something else than a fresh read. */
  readonly differences: number
  /** Nodes whose last done write is not what a fresh read sees. */
  readonly lost: number
  readonly states: readonly string[]
}

/** `npm run drill -- zookeeper-rolling`: all servers restart in turn under thousands of watches and ephemerals. */
export async function rollingDrill(argv: readonly string[]): Promise<boolean> {
  const watches = positive(readOptions(argv, ['watches'])['watches'], 5_000, 'watches')
  return withEnsemble('drill', async (lab) => {
    const restart = await restartUnder(lab, watches)
    report(restart, lab.version)
    const { watches: held, sessions, sameEphemerals, differences, lost } = restart
    return (
      held >= watches &&
      sessions === 1 &&
      sameEphemerals === ephemeralCount &&
      differences === 0 &&
      lost === 0
    )
  })
}

async function restartUnder(lab: Lab, watches: number): Promise<RestartResult> {
  await using zookeeper = createZookeeper({ connect: lab.url, sessionTimeoutMs })
  const seenEvents = { sessions: 0, states: [] as string[] }
  zookeeper.events.on('sessionBegun', () => {
    seenEvents.sessions += 1
  })
  await zookeeper.ready()
  await makeNodes(zookeeper, watches)
  const cache = zookeeper.cache(`${root}/nodes`, { depth: 1 })
  const ephemerals = Array.from({ length: ephemeralCount }, (_, i) =>
    zookeeper.ephemeral(`${root}/ephemerals/e${i}`, String(i)),
  )
  await Promise.all([
    cache.ready({ timeoutMs: readyMs }),
    ...ephemerals.map((each) => each.ready({ timeoutMs: readyMs })),
  ])
  zookeeper.events.on('state', ({ state }) => {
    seenEvents.states.push(state)
  })
  const [endpoint = ''] = endpointsOf(lab).values()
  const before = await ephemeralsBelow(endpoint, `${root}/ephemerals`)
  const held = zookeeper.health().watches
  const writes = new WriteTraffic(zookeeper, watches)
  writes.start()
  await restartAll(lab)
  await writes.stop()
  await sleep(cachesMs)
  const seen = new Map(cache.current())
  return {
    sessions: seenEvents.sessions,
    states: [...seenEvents.states],
    ...(await compare(endpoint, { seen, writes, watches, before })),
    watches: held,
    writesDone: writes.done,
    writesFailed: writes.failed,
  }
}

// In pieces that a server takes at once.
async function makeNodes(zookeeper: Zookeeper, count: number): Promise<void> {
  for (const path of [root, `${root}/nodes`, `${root}/ephemerals`]) await zookeeper.create(path)
  for (let from = 0; from < count; from += 500) {
    const changes = Array.from(
      { length: Math.min(500, count - from) },
      (_, i): Change => ({ kind: 'create', path: `${root}/nodes/n${from + i}`, data: '0' }),
    )
    await zookeeper.multi(changes)
  }
}

async function restartAll(lab: Lab): Promise<void> {
  for (const { name } of lab.nodes) {
    await sleep(betweenMs)
    await lab.restart(name)
    await lab.ready()
    console.log(`  ${name} has been restarted`)
  }
}

/** Writes to one node after the other, and remembers the last that was done for each. */
class WriteTraffic {
  /** By node: the number of the last write that was done, unless a later one had an unknown outcome. */
  readonly last = new Map<number, string | undefined>()
  done = 0
  failed = 0
  readonly #pace: Pace
  readonly #underWay = new Set<Promise<void>>()
  #number = 0

  constructor(zookeeper: Zookeeper, nodes: number) {
    this.#pace = new Pace(writesPerSecond, () => this.#begin(zookeeper, nodes))
  }

  start(): void {
    this.#pace.start()
  }

  /** Resolves when every write has settled. */
  async stop(): Promise<void> {
    this.#pace.stop()
    await Promise.all(this.#underWay)
  }

  #begin(zookeeper: Zookeeper, nodes: number): void {
    const writing = this.#write(zookeeper, nodes).finally(() => this.#underWay.delete(writing))
    this.#underWay.add(writing)
  }

  async #write(zookeeper: Zookeeper, nodes: number): Promise<void> {
    this.#number += 1
    const node = this.#number % nodes
    const data = String(this.#number)
    try {
      await zookeeper.set(`${root}/nodes/n${node}`, data)
      this.last.set(node, data)
      this.done += 1
    } catch {
      // Counted, and not compared: it may have happened or not.
      this.last.set(node, undefined)
      this.failed += 1
    }
  }
}

interface Compared {
  readonly seen: ReturnType<Cache<Buffer>['current']>
  readonly writes: WriteTraffic
  readonly watches: number
  readonly before: ReadonlyMap<string, bigint>
}

function compare(
  endpoint: string,
  { seen, writes, watches, before }: Compared,
): Promise<Pick<RestartResult, 'sameEphemerals' | 'differences' | 'lost'>> {
  return readReliably(endpoint, async (session) => {
    await session.sync()
    const fresh = await Promise.all(
      Array.from({ length: watches }, (_, i) => session.get(`${root}/nodes/n${i}`)),
    )
    const after = await ephemeralsBelow(endpoint, `${root}/ephemerals`)
    const isSame = (i: number): boolean => {
      const cached = seen.get(`${root}/nodes/n${i}`)
      return (
        cached?.stat.version === fresh[i]?.version && cached?.value.toString() === fresh[i]?.data.toString()
      )
    }
    const isLost = (i: number): boolean => {
      const last = writes.last.get(i)
      return last !== undefined && fresh[i]?.data.toString() !== last
    }
    const all = [...fresh.keys()]
    return {
      sameEphemerals: [...before].filter(([name, czxid]) => after.get(name) === czxid).length,
      differences: all.filter((i) => !isSame(i)).length,
      lost: all.filter(isLost).length,
    }
  })
}

function report(restart: RestartResult, version: string): void {
  const rows = [
    ['watches held', String(restart.watches)],
    ['sessions', String(restart.sessions)],
    ['ephemerals that stayed', `${restart.sameEphemerals} of ${ephemeralCount}`],
    ['writes done, failed', `${restart.writesDone}, ${restart.writesFailed}`],
    ['done and lost', String(restart.lost)],
    ['nodes that differ in the cache, after 2 s', String(restart.differences)],
    ['states', restart.states.join(' ')],
  ]
  const table = markdownTable(['what', 'measured'], rows)
  const title = `ZooKeeper ${version}: all three servers restart in turn, ${writesPerSecond} writes a second`
  const where = saveResults('drill-zookeeper-rolling', { title, table, pictures: [], data: restart })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}
