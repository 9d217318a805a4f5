import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { createZookeeper } from '@ha/zookeeper'
import { positive, readOptions } from '../harness/args.ts'
import { markdownTable, saveResults } from '../harness/report.ts'
import { ms, spread } from '../harness/stats.ts'
import { wallMs } from '../harness/timing.ts'
import { endpointsOf, withEnsemble } from './ensemble.ts'
import { onSession, RawSession, readReliably } from './raw-session.ts'

const basePath = '/gate'
const intervalMs = 200
const failures = 3
const successes = 2
/** One window: within it, the list is written at most once. */
const minDwellMs = 2_000
const withdrawnInMs = failures * intervalMs + 200
const flapEveryMs = 500
const timeoutAfterMs = 20_000

interface GateResult {
  /** From the flip until the node was gone, as another session saw it. */
  readonly withdrawnAfterMs: readonly number[]
  readonly restoredAfterMs: readonly number[]
  readonly flapSeconds: number
  /** How often the list was written while it flapped. */
  readonly writes: number
  readonly sessions: number
}

/** `npm run drill -- zookeeper-gate`: a health check flips again and again, and then flaps at 1 Hz. */
export async function gateDrill(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['flips', 'seconds'])
  const flips = positive(options['flips'], 10, 'flips')
  const seconds = positive(options['seconds'], 20, 'seconds')
  return withEnsemble('drill', async (lab) => {
    const result = await flipAndFlap(lab, flips, seconds)
    report(result, lab.version)
    const isInTime = result.withdrawnAfterMs.every((each) => each <= withdrawnInMs)
    return isInTime && result.writes <= windowsIn(seconds) && result.sessions === 1
  })
}

function windowsIn(seconds: number): number {
  return Math.ceil((seconds * 1_000) / minDwellMs)
}

async function flipAndFlap(lab: Lab, flips: number, seconds: number): Promise<GateResult> {
  await using zookeeper = createZookeeper(lab.url)
  let sessions = 0
  zookeeper.events.on('sessionBegun', () => {
    sessions += 1
  })
  let isWell = true
  const check = (): boolean => isWell
  const [endpoint = ''] = endpointsOf(lab).values()
  // Otherwise a container: the servers would remove it, and its count, while no instance is listed.
  await onSession(endpoint, async (session) => {
    for (const path of [basePath, `${basePath}/gateway`]) await session.create(path)
  })
  const registration = zookeeper
    .discovery({ basePath })
    .register(
      { name: 'gateway', id: 'g1', address: '127.0.0.1', port: 1_883 },
      { health: { check, intervalMs, failures, successes, minDwellMs } },
    )
  await registration.ready()
  const { path } = registration
  const session = await RawSession.open(endpoint, timeoutAfterMs * 3)
  const listed = new ListingProbe(session, path)
  const withdrawnAfterMs: number[] = []
  const restoredAfterMs: number[] = []
  for (let flip = 0; flip < flips; flip++) {
    // At a moment of its own in the rhythm of the checks.
    await sleep(Math.random() * intervalMs)
    isWell = false
    withdrawnAfterMs.push(await listed.until(false))
    isWell = true
    restoredAfterMs.push(await listed.until(true))
  }
  session.end()
  const before = await writesTo(endpoint, path)
  const flapping = setInterval(() => {
    isWell = !isWell
  }, flapEveryMs)
  await sleep(seconds * 1_000)
  clearInterval(flapping)
  const writes = (await writesTo(endpoint, path)) - before
  return { withdrawnAfterMs, restoredAfterMs, flapSeconds: seconds, writes, sessions }
}

const lookEveryMs = 5

/** The node of a registration as another session sees it. */
class ListingProbe {
  readonly #session: RawSession
  readonly #path: string

  constructor(session: RawSession, path: string) {
    this.#session = session
    this.#path = path
  }

  /** How long it took until the node was there, or not there; infinite when it never was so. */
  async until(isThere: boolean): Promise<number> {
    const fromMs = wallMs()
    while (wallMs() < fromMs + timeoutAfterMs) {
      const node = await this.#session.get(this.#path)
      if ((node !== undefined) === isThere) return wallMs() - fromMs
      await sleep(lookEveryMs)
    }
    return Number.POSITIVE_INFINITY
  }
}

/** How often instances were added to a node's list or removed from it. */
function writesTo(endpoint: string, path: string): Promise<number> {
  return readReliably(endpoint, async (session) => {
    const list = await session.get(path.slice(0, path.lastIndexOf('/')))
    return list?.childChanges ?? 0
  })
}

function report(
  { withdrawnAfterMs, restoredAfterMs, flapSeconds, writes, sessions }: GateResult,
  version: string,
): void {
  const both = (values: readonly number[]): string => {
    const found = spread(values)
    return `median ${ms(found?.median)}, worst ${ms(found?.max)}`
  }
  const rows = [
    [`withdrawn after the flip, at most ${ms(withdrawnInMs)}`, both(withdrawnAfterMs)],
    ['listed again after recovery', both(restoredAfterMs)],
    [`writes in ${flapSeconds} s of flapping, at most ${windowsIn(flapSeconds)}`, String(writes)],
    ['sessions', String(sessions)],
  ]
  const table = markdownTable(['what', 'measured'], rows)
  const title = `ZooKeeper ${version}: a health gate, asked every ${intervalMs} ms, ${failures} failures, window ${ms(minDwellMs)}`
  const data = { withdrawnAfterMs, restoredAfterMs, flapSeconds, writes, sessions }
  const where = saveResults('drill-zookeeper-gate', { title, table, pictures: [], data })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}
