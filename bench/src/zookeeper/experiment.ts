import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { recovered } from '../harness/progress.ts'
import { darkMs } from '../harness/silence.ts'
import { wallMs } from '../harness/wall-clock.ts'
import { type Cast, type CastVerdict, judgeCast, killCast, startCast } from './cast.ts'
import { type ClientRun, writesOf } from './client-run.ts'
import { readEverywhere } from './contents.ts'
import { endpointsOf } from './ensemble.ts'
import { type Fared, fared, type Window } from './fared.ts'
import { breakNode, type FaultKind, type Role } from './faults.ts'
import { probeFloor } from './floor.ts'
import { prepare, type Running, type Stage, startClient } from './stage.ts'
import type { Rates } from './traffic.ts'

/** One fault under traffic. */
export interface Experiment {
  readonly fault: FaultKind
  readonly role: Role
  readonly contestants: readonly string[]
  readonly rates: Rates
  readonly sessionTimeoutMs: number
  /** Whether a lock, a registry and caches are at work beside the clients. */
  readonly hasCast: boolean
  /** How long a fault lasts, at the least. */
  readonly holdMs: number
  /** How long it lasts at the most, for who does not come back. */
  readonly mostMs: number
}

export interface ExperimentResult {
  readonly experiment: Experiment
  readonly victim: string
  readonly window: Window
  /** The same silence as seen by the probe that knows everything; undefined when no server was broken. */
  readonly floorMs: number | undefined
  readonly fared: readonly Fared[]
  readonly cast: CastVerdict | undefined
}

/** Hears where an experiment is, and who is at work. */
export type OnPhase = (phase: string, runs: readonly ClientRun[]) => void

const warmUpMs = 2_000
// What caches may take to be equal again, once all servers agree; traffic ends in the middle of it.
const cachesMs = 2_000
const trafficAfterMs = 1_200
// Longer than a session: whoever waits for one that was frozen has had it by then.
const afterFreezeSessions = 2

/** Runs one experiment: traffic, fault, recovery, healing, and the ledgers. The ensemble is whole again afterwards. */
export async function runExperiment(
  lab: Lab,
  experiment: Experiment,
  onPhase: OnPhase = () => undefined,
): Promise<ExperimentResult> {
  const stage = await prepare(lab, experiment)
  const runs: Running[] = []
  const tell = (phase: string): void =>
    onPhase(
      phase,
      runs.map(({ run }) => run),
    )
  let cast: Cast | undefined
  try {
    for (const name of experiment.contestants) runs.push(await startClient(lab, { experiment, stage, name }))
    const [first] = runs
    if (experiment.hasCast && first !== undefined)
      cast = await startCast({
        connect: lab.url,
        sessionTimeoutMs: experiment.sessionTimeoutMs,
        root: stage.root,
        registers: first.places.registers,
      })
    tell('traffic')
    await sleep(warmUpMs)
    return await underFault(lab, experiment, { stage, runs, cast, tell })
  } finally {
    for (const { run } of runs) run.kill()
    if (cast !== undefined) await killCast(cast)
  }
}

interface Underway {
  readonly stage: Stage
  readonly runs: readonly Running[]
  readonly cast: Cast | undefined
  readonly tell: (phase: string) => void
}

async function underFault(lab: Lab, experiment: Experiment, underway: Underway): Promise<ExperimentResult> {
  const { stage, tell } = underway
  const faultAtMs = wallMs()
  const { healedAtMs, successes } =
    experiment.fault === 'client-freeze'
      ? await freezeHolder(experiment, underway)
      : await breakServer(lab, experiment, underway)
  const agreedAtMs = wallMs()
  await sleep(trafficAfterMs)
  tell('counting')
  const window = { faultAtMs, healedAtMs }
  const all = await count(lab, experiment, { ...underway, window })
  await sleep(Math.max(0, agreedAtMs + cachesMs - wallMs()))
  return {
    experiment,
    victim: stage.victim,
    window,
    floorMs: successes && darkMs(successes, faultAtMs, healedAtMs),
    fared: all,
    cast: await judge(lab, underway),
  }
}

interface Healed {
  readonly healedAtMs: number
  readonly successes: readonly number[] | undefined
}

async function breakServer(
  lab: Lab,
  experiment: Experiment,
  { stage, runs, tell }: Underway,
): Promise<Healed> {
  const { fault, role } = experiment
  if (fault === 'client-freeze') throw new Error('no server is broken in a freeze of a client')
  tell(`${fault} ${stage.victim}`)
  const survivors = [...endpointsOf(lab).values()].filter((endpoint) => endpoint !== stage.victimAt)
  const probing = new AbortController()
  const successes = probeFloor({ survivors, folder: `${stage.root}/floor` }, probing.signal)
  const lease = await breakNode(lab, fault, { role, node: stage.victim })
  const untilMs = wallMs() + experiment.holdMs
  await recovered(
    runs.map(
      ({ run }) =>
        () =>
          writesOf(run),
    ),
    experiment.mostMs,
  )
  await sleep(Math.max(0, untilMs - wallMs()))
  probing.abort()
  tell(`healing ${stage.victim}`)
  const healedAtMs = wallMs()
  await lease.heal()
  await lab.ready()
  return { healedAtMs, successes: await successes }
}

async function freezeHolder({ sessionTimeoutMs }: Experiment, { cast, tell }: Underway): Promise<Healed> {
  tell('freezing who holds the lock')
  await cast?.store.freezeHolder(sessionTimeoutMs * 1.5)
  const healedAtMs = wallMs()
  await sleep(sessionTimeoutMs * afterFreezeSessions)
  return { healedAtMs, successes: undefined }
}

async function count(
  lab: Lab,
  { sessionTimeoutMs }: Experiment,
  { runs, window }: Underway & { readonly window: Window },
): Promise<readonly Fared[]> {
  const settleMs = sessionTimeoutMs * 2
  const ended = await Promise.all(
    runs.map(async ({ run, places }) => ({ name: run.name, places, result: await run.stop(settleMs) })),
  )
  const endpoints = [...endpointsOf(lab).values()]
  const all: Fared[] = []
  for (const { name, places, result } of ended) {
    const contents = await readEverywhere(endpoints, places)
    all.push(fared(name, { result, contents, window, deadlineMs: sessionTimeoutMs }))
  }
  return all
}

async function judge(lab: Lab, { cast, stage, runs }: Underway): Promise<CastVerdict | undefined> {
  const [first] = runs
  if (cast === undefined || first === undefined) return undefined
  const [endpoint = ''] = endpointsOf(lab).values()
  const { registers } = first.places
  return judgeCast(cast, { endpoint, root: stage.root, registers })
}
