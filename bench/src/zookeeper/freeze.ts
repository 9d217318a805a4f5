import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { positive, readOptions } from '../harness/args.ts'
import { markdownTable, saveResults } from '../harness/report.ts'
import { ms } from '../harness/stats.ts'
import { wallMs } from '../harness/timing.ts'
import type { ClientEvent } from '../harness/worker.ts'
import { isSessionKept } from './client-result.ts'
import { availableClients, ours } from './clients.ts'
import { clientPaths, createClientPaths } from './contents.ts'
import { endpointsOf, leaderOf, withEnsemble } from './ensemble.ts'
import { clientIdOf } from './experiment.ts'
import type { Op } from './operation-log.ts'
import { ephemeralsBelow, onSession } from './raw-session.ts'
import { type ClientRun, runClient } from './traffic.ts'

const calmMs = 2_000
const settleMs = 10_000
// A moment before the thaw, when all that survives has moved.
const changeBeforeThawMs = 2_500

/** `npm run drill -- zookeeper-freeze`: the server of each client freezes, with and without writes under way. */
export async function freezeDrill(argv: readonly string[]): Promise<boolean> {
  const rounds = positive(readOptions(argv, ['rounds'])['rounds'], 1, 'rounds')
  const names = (await availableClients()).map(({ name }) => name)
  return withEnsemble('drill', async (lab) => {
    const all: FreezeResult[] = []
    for (let round = 0; round < rounds; round++)
      for (const writesPerSecond of [0, 50]) {
        const root = `/freeze-${round}-${writesPerSecond}`
        all.push(...(await freeze(lab, names, { root, writesPerSecond })))
      }
    reportFreezes(all, lab.version)
    return all.filter(({ name }) => name === ours.name).every(holdsGuarantees)
  })
}

function holdsGuarantees(one: FreezeResult): boolean {
  const {
    movedAfterMs,
    isSessionKept,
    isEphemeralKept,
    isWatchNotified,
    longestCallMs,
    unsettled,
    unhandled,
  } = one
  const isInTime = movedAfterMs !== undefined && movedAfterMs < sessionTimeoutMs
  const isWithinDeadline = (longestCallMs ?? 0) <= sessionTimeoutMs + 500
  const isQuiet = unsettled + unhandled.length === 0
  return isInTime && isSessionKept && isEphemeralKept && isWatchNotified && isWithinDeadline && isQuiet
}

interface Round {
  readonly root: string
  readonly writesPerSecond: number
}

async function freeze(lab: Lab, names: readonly string[], round: Round): Promise<readonly FreezeResult[]> {
  const endpoints = endpointsOf(lab)
  const leader = await leaderOf(lab)
  const [victim = ''] = [...endpoints.keys()].filter((name) => name !== leader)
  const victimAt = endpoints.get(victim) ?? ''
  const [survivor = ''] = [...endpoints.values()].filter((endpoint) => endpoint !== victimAt)
  await onSession(survivor, async (session) => {
    for (const path of [round.root, `${round.root}/watched`]) await session.create(path)
  })
  const runs: ClientRun[] = []
  try {
    for (const name of names) runs.push(await startAt(lab, { round, name, victimAt, survivor }))
    await sleep(calmMs)
    return await underFreeze(lab, { round, runs, victim, survivor })
  } finally {
    for (const run of runs) run.kill()
  }
}

async function startAt(
  lab: Lab,
  {
    round: { root, writesPerSecond },
    name,
    victimAt,
    survivor,
  }: { readonly round: Round; readonly name: string; readonly victimAt: string; readonly survivor: string },
): Promise<ClientRun> {
  const id = clientIdOf(name)
  const paths = clientPaths(`${root}/${id}`)
  await createClientPaths(survivor, paths)
  return runClient({
    client: name,
    connect: lab.url,
    sessionTimeoutMs,
    rates: { create: writesPerSecond, sequence: 0, set: 0, read: 0 },
    paths,
    ephemeral: `${root}/here-${id}`,
    watched: `${root}/watched`,
    attachment: { endpoint: victimAt, isAttached: true },
  })
}

interface RunningExperiment {
  readonly round: Round
  readonly runs: readonly ClientRun[]
  readonly victim: string
  readonly survivor: string
}

async function underFreeze(
  lab: Lab,
  { round, runs, victim, survivor }: RunningExperiment,
): Promise<readonly FreezeResult[]> {
  const before = await ephemeralsBelow(survivor, round.root)
  const frozenAtMs = wallMs()
  const lease = await lab.pause(victim, { forMs: 120_000 })
  await sleep(freezeMs - changeBeforeThawMs)
  const changedAtMs = wallMs()
  await onSession(survivor, (session) => session.set(`${round.root}/watched`, 'changed'))
  await sleep(changeBeforeThawMs)
  const after = await ephemeralsBelow(survivor, round.root)
  const thawedAtMs = wallMs()
  await lease.heal()
  await lab.ready()
  const ended = await Promise.all(
    runs.map(async (run) => ({ name: run.name, ...(await run.stop(settleMs)) })),
  )
  return ended.map(({ name, ops, events, unhandled }) => {
    const mine = [...before].filter(([path]) => path.startsWith(`here-${clientIdOf(name)}-`))
    return {
      name,
      writesPerSecond: round.writesPerSecond,
      movedAfterMs: firstMs(events, 'attached', frozenAtMs, thawedAtMs),
      isSessionKept: isSessionKept(events),
      // That of an earlier start is gone or going: its last one is what counts.
      isEphemeralKept: mine.some(([path, czxid]) => after.get(path) === czxid),
      isWatchNotified: firstMs(events, 'watched', changedAtMs, thawedAtMs) !== undefined,
      ...callsOf(ops),
      unhandled,
    }
  })
}

function callsOf(ops: readonly Op[]): Pick<FreezeResult, 'longestCallMs' | 'unsettled' | 'failed'> {
  const tookMs = ops.map(
    ({ startedAtMs, settledAtMs }) => (settledAtMs ?? Number.POSITIVE_INFINITY) - startedAtMs,
  )
  return {
    longestCallMs: tookMs.length === 0 ? undefined : Math.max(...tookMs),
    unsettled: ops.filter(({ outcome }) => outcome === 'unsettled').length,
    failed: ops.filter(({ outcome }) => outcome === 'not-done' || outcome === 'unknown').length,
  }
}

function firstMs(
  events: readonly ClientEvent[],
  wanted: string,
  fromMs: number,
  toMs: number,
): number | undefined {
  const first = events.find(({ name, atMs }) => name === wanted && atMs >= fromMs && atMs < toMs)
  return first && first.atMs - fromMs
}

/** The result of a client whose server was frozen. */
interface FreezeResult {
  readonly name: string
  readonly writesPerSecond: number
  /** From the freeze until it was attached to another server; undefined when it was not before the thaw. */
  readonly movedAfterMs: number | undefined
  readonly isSessionKept: boolean
  /** Whether its ephemeral, made before the freeze, was there all the time. */
  readonly isEphemeralKept: boolean
  /** Whether its watch fired, before the thaw, for a change made during the freeze. */
  readonly isWatchNotified: boolean
  /** The longest that a call took; undefined when there was none. */
  readonly longestCallMs: number | undefined
  readonly unsettled: number
  readonly failed: number
  readonly unhandled: readonly string[]
}

/** Prints and saves the results of all clients whose server was frozen. */
function reportFreezes(all: readonly FreezeResult[], version: string): void {
  const head = [
    'client',
    'traffic',
    'moved after',
    'session',
    'ephemeral',
    'watch notified',
    'longest call',
    'calls failed',
    'never settled',
    'unhandled',
  ]
  const rows = all.map((one) => [
    one.name,
    one.writesPerSecond === 0 ? 'idle' : `${one.writesPerSecond} writes/s`,
    one.movedAfterMs === undefined ? 'not before the thaw' : ms(one.movedAfterMs),
    one.isSessionKept ? 'kept' : 'LOST',
    one.isEphemeralKept ? 'kept' : 'LOST',
    one.isWatchNotified ? 'yes' : 'no',
    one.longestCallMs === undefined ? '' : ms(one.longestCallMs),
    String(one.failed),
    String(one.unsettled),
    String(one.unhandled.length),
  ])
  const title = `ZooKeeper ${version}, three servers: the server of each client is frozen for ${ms(freezeMs)}, sessions of ${ms(sessionTimeoutMs)}`
  const table = markdownTable(head, rows)
  const where = saveResults('drill-zookeeper-freeze', { title, table, pictures: [], data: all })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

/** The session timeout of all clients whose server is frozen. */
const sessionTimeoutMs = 4_000

/** How long a server is frozen: two sessions. */
const freezeMs: number = 2 * sessionTimeoutMs
