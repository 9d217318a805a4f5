import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { positive, readOptions } from '../harness/args.ts'
import type { ClientEvent } from '../harness/client-event.ts'
import { wallMs } from '../harness/wall-clock.ts'
import { type ClientRun, runClient } from './client-run.ts'
import { makePlaces, placesOf } from './contents.ts'
import { entrants } from './contestants.ts'
import { endpointsOf, leaderOf, withEnsemble } from './ensemble.ts'
import { isSessionKept } from './fared.ts'
import { reportFreezes } from './freeze-report.ts'
import { freezeMs, sessionTimeoutMs } from './freeze-times.ts'
import type { Frozen } from './frozen.ts'
import type { Op } from './ledger.ts'
import { ours } from './ours.ts'
import { ephemeralsBelow, onSession } from './raw-session.ts'
import { idOf } from './stage.ts'

const calmMs = 2_000
const settleMs = 10_000
// A moment before the thaw, when all that survives has moved.
const changeBeforeThawMs = 2_500

/** `npm run drill -- zookeeper-freeze`: the server of each client freezes, with and without writes under way. */
export async function freezeDrill(argv: readonly string[]): Promise<boolean> {
  const rounds = positive(readOptions(argv, ['rounds'])['rounds'], 1, 'rounds')
  const names = (await entrants()).map(({ name }) => name)
  return withEnsemble('drill', async (lab) => {
    const all: Frozen[] = []
    for (let round = 0; round < rounds; round++)
      for (const writesPerSecond of [0, 50]) {
        const root = `/freeze-${round}-${writesPerSecond}`
        all.push(...(await freeze(lab, names, { root, writesPerSecond })))
      }
    reportFreezes(all, lab.version)
    return all.filter(({ name }) => name === ours.name).every(isKept)
  })
}

function isKept(one: Frozen): boolean {
  const { movedAfterMs, isSessionKept, isEphemeralKept, isWatchTold, longestCallMs, unsettled, unhandled } =
    one
  const isInTime = movedAfterMs !== undefined && movedAfterMs < sessionTimeoutMs
  const isWithinDeadline = (longestCallMs ?? 0) <= sessionTimeoutMs + 500
  const isQuiet = unsettled + unhandled.length === 0
  return isInTime && isSessionKept && isEphemeralKept && isWatchTold && isWithinDeadline && isQuiet
}

interface Round {
  readonly root: string
  readonly writesPerSecond: number
}

async function freeze(lab: Lab, names: readonly string[], round: Round): Promise<readonly Frozen[]> {
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
  const id = idOf(name)
  const places = placesOf(`${root}/${id}`)
  await makePlaces(survivor, places)
  return runClient({
    contestant: name,
    connect: lab.url,
    sessionTimeoutMs,
    rates: { create: writesPerSecond, sequence: 0, set: 0, read: 0 },
    places,
    ephemeral: `${root}/here-${id}`,
    watched: `${root}/watched`,
    place: { endpoint: victimAt, isThere: true },
  })
}

interface Underway {
  readonly round: Round
  readonly runs: readonly ClientRun[]
  readonly victim: string
  readonly survivor: string
}

async function underFreeze(
  lab: Lab,
  { round, runs, victim, survivor }: Underway,
): Promise<readonly Frozen[]> {
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
    const mine = [...before].filter(([path]) => path.startsWith(`here-${idOf(name)}-`))
    return {
      name,
      writesPerSecond: round.writesPerSecond,
      movedAfterMs: firstMs(events, 'attached', frozenAtMs, thawedAtMs),
      isSessionKept: isSessionKept(events),
      // That of an earlier start is gone or going: its last one is what counts.
      isEphemeralKept: mine.some(([path, czxid]) => after.get(path) === czxid),
      isWatchTold: firstMs(events, 'watched', changedAtMs, thawedAtMs) !== undefined,
      ...callsOf(ops),
      unhandled,
    }
  })
}

function callsOf(ops: readonly Op[]): Pick<Frozen, 'longestCallMs' | 'unsettled' | 'failed'> {
  const tookMs = ops.map(
    ({ begunAtMs, settledAtMs }) => (settledAtMs ?? Number.POSITIVE_INFINITY) - begunAtMs,
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
