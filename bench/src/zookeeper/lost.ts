import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { positive, readOptions } from '../harness/args.ts'
import { wallMs } from '../harness/wall-clock.ts'
import { type Cast, instanceCount, judgeCast, killCast, startCast } from './cast.ts'
import { makePlaces, placesOf } from './contents.ts'
import { endpointsOf, withEnsemble } from './ensemble.ts'
import { freezeAll } from './faults.ts'
import type { Losses } from './losses.ts'
import { reportLosses } from './lost-report.ts'
import { judgeOutages, type Outage, type OutageVerdict } from './outages.ts'
import { unhang } from './serving.ts'

// Long enough for a session to be lost with certainty, and for a rival to wait for the lock.
const longOutages = 2
// Healing comes from half a second before the end of a session to half a second after it, in even steps.
const spreadMs = 500
const settleMs = 30_000
// An ensemble that begins no session for so long after its healing hangs.
const hangMs = 5_000
// What a cache may take to be equal again.
const cachesMs = 2_000

/** `npm run drill -- zookeeper-lost`: all servers are frozen for two sessions, and then again and again for about one. */
export async function lostDrill(argv: readonly string[]): Promise<boolean> {
  const runs = positive(readOptions(argv, ['runs'])['runs'], 50, 'runs')
  return withEnsemble('drill', async (lab) => {
    const long = await play(lab, {
      root: '/lost-long',
      sessionTimeoutMs: 4_000,
      outagesMs: Array.from({ length: longOutages }, () => 8_000),
    })
    const around = await play(lab, {
      root: '/lost-around',
      sessionTimeoutMs: 2_000,
      outagesMs: outagesAround(2_000, runs),
    })
    reportLosses([long, around], lab.version)
    return isKept(long, true) && isKept(around, false)
  })
}

function outagesAround(sessionTimeoutMs: number, runs: number): readonly number[] {
  const step = runs === 1 ? 0 : (2 * spreadMs) / (runs - 1)
  return Array.from({ length: runs }, (_, run) => Math.round(sessionTimeoutMs - spreadMs + run * step))
}

// The share of the session by which LOST may be early or late, and how soon all are registered again.
const lostShare = 0.05
const backMs = 2_000

function isKept({ outages, cast, sessionTimeoutMs }: Losses, mustLose: boolean): boolean {
  const { leases, differences, registered, emptyPicks, unhandled } = cast
  const wrong = leases.overlaps + leases.rejectedValid + leases.acceptedStale + leases.signalledLate
  const isOnTime = ({ lostAfterMs }: OutageVerdict): boolean =>
    lostAfterMs === undefined ? !mustLose : Math.abs(lostAfterMs / sessionTimeoutMs - 1) <= lostShare
  const isBack = ({ registeredAfterMs }: OutageVerdict): boolean =>
    registeredAfterMs !== undefined && registeredAfterMs <= backMs
  const isWhole = differences.length + emptyPicks + unhandled.length === 0 && registered === instanceCount
  return wrong === 0 && isWhole && outages.every((outage) => isOnTime(outage) && isBack(outage))
}

interface Series {
  readonly root: string
  readonly sessionTimeoutMs: number
  readonly outagesMs: readonly number[]
}

async function play(lab: Lab, { root, sessionTimeoutMs, outagesMs }: Series): Promise<Losses> {
  const [endpoint = ''] = endpointsOf(lab).values()
  const places = placesOf(root)
  await makePlaces(endpoint, places)
  const { registers } = places
  const cast = await startCast({ connect: lab.url, sessionTimeoutMs, root, registers })
  const outages: Outage[] = []
  try {
    for (const outageMs of outagesMs) {
      const one = await outage(lab, cast, outageMs)
      outages.push(one)
      const hung = one.isHung ? ', and the ensemble hung after it: its leader was restarted' : ''
      console.log(`  ${outages.length}/${outagesMs.length}: away for ${outageMs} ms${hung}`)
    }
    await sleep(cachesMs)
    const verdict = await judgeCast(cast, { endpoint, root, registers })
    const events = verdict.told['registrant'] ?? []
    return { sessionTimeoutMs, outages: judgeOutages(outages, events), cast: verdict }
  } finally {
    await killCast(cast)
  }
}

async function outage(lab: Lab, cast: Cast, outageMs: number): Promise<Outage> {
  // At a moment of its own in the rhythm of whoever holds the lock.
  await sleep(500 + Math.random() * 500)
  const frozenAtMs = wallMs()
  const heal = await freezeAll(lab)
  await sleep(Math.max(0, frozenAtMs + outageMs - wallMs()))
  const healedAtMs = wallMs()
  await heal()
  await lab.ready()
  const isHung = await unhang(lab, hangMs)
  const acquired = (): number => cast.contenders.reduce((sum, run) => sum + (run.count()?.acquired ?? 0), 0)
  const before = acquired()
  const isBack = (): boolean => acquired() > before && cast.registrant.count()?.registered === instanceCount
  const untilMs = wallMs() + settleMs
  while (wallMs() < untilMs && !isBack()) await sleep(50)
  return { frozenAtMs, healedAtMs, isHung }
}
