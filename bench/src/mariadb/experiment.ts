import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { recovered } from '../harness/progress.ts'
import { darkMs } from '../harness/silence.ts'
import { wallMs } from '../harness/wall-clock.ts'
import { type ClientRun, countOf, runClient } from './client-run.ts'
import { endpointsOf, type Mode } from './cluster.ts'
import { type Fared, fared, type Window } from './fared.ts'
import { breakNode, type FaultKind, restartAll } from './faults.ts'
import { createProbes, probeFloor } from './floor.ts'
import { createTables, dropTables, namesOf, readEverywhere, type Tables, tablesOf } from './tables.ts'
import type { Rates } from './traffic.ts'

/** One fault under traffic. */
export interface Experiment {
  readonly mode: Mode
  readonly fault: FaultKind
  /** What the victim is to the clients: the server that takes their writes, or one that they only read. */
  readonly role: 'writer' | 'replica'
  readonly victim: string
  readonly contestants: readonly string[]
  readonly rates: Rates
  readonly connections: number
  /** How long a fault lasts that the clients survive, at the least. */
  readonly holdMs: number
  /** How long an operation may take to settle when the traffic is over. */
  readonly settleMs: number
}

export interface ExperimentResult {
  readonly experiment: Experiment
  readonly window: Window
  /** The same silence as seen by the probe that knows everything. */
  readonly floorMs: number | undefined
  readonly fared: readonly Fared[]
}

const warmUpMs = 3_000
const afterMs = 1_500
// Long enough for our client to return to the healed server, which it does three seconds after it is well.
const failBackMs = 5_000
const recoveryMs = 25_000
// The primary of a replication is followed by nobody: its writers wait until it is healed.
const outageMs = 4_000

let experiments = 0

/** Hears where an experiment is, and who is at work. */
export type OnPhase = (phase: string, runs: readonly ClientRun[]) => void

/** Runs one experiment: traffic, fault, recovery, healing, and the ledgers. The cluster is whole again afterwards. */
export async function runExperiment(
  lab: Lab,
  experiment: Experiment,
  onPhase: OnPhase = () => undefined,
): Promise<ExperimentResult> {
  experiments += 1
  const place = placeOf(lab, experiment)
  const entrants = experiment.contestants.map((name) => ({ name, tables: tablesOf(experiments, name) }))
  const probes = `probes_${experiments}`
  const [writer = ''] = place.writable
  for (const { tables } of entrants) await createTables(writer, tables)
  await createProbes(writer, probes)
  const runs: Running[] = []
  const tell = (phase: string): void =>
    onPhase(
      phase,
      runs.map(({ run }) => run),
    )
  try {
    for (const { name, tables } of entrants) {
      const { mode, rates, connections } = experiment
      const setup = { contestant: name, mode, endpoints: place.dialled, tables, connections, rates }
      runs.push({ run: await runClient(setup), tables })
    }
    tell('traffic')
    await sleep(warmUpMs)
    return await underFault(lab, experiment, { runs, place, probes, tell })
  } finally {
    for (const { run } of runs) run.kill()
    await dropTables(writer, [...entrants.flatMap(({ tables }) => namesOf(tables)), probes])
  }
}

interface Place {
  /** The order in which clients try the servers. */
  readonly dialled: readonly string[]
  /** Where the floor is measured: servers that take writes while the fault lasts, or when it is over. */
  readonly writable: readonly string[]
  readonly victim: string
}

function placeOf(lab: Lab, { victim, mode }: Experiment): Place {
  const endpoints = endpointsOf(lab)
  const all = [...endpoints.values()]
  const victimAt = endpoints.get(victim) ?? ''
  const others = all.filter((endpoint) => endpoint !== victimAt)
  return mode === 'replication'
    ? { dialled: all, writable: all.slice(0, 1), victim: victimAt }
    : { dialled: [victimAt, ...others], writable: others, victim: victimAt }
}

/** A client at work, and the tables that only it writes to. */
interface Running {
  readonly run: ClientRun
  readonly tables: Tables
}

interface Underway {
  readonly runs: readonly Running[]
  readonly place: Place
  readonly probes: string
  readonly tell: (phase: string) => void
}

async function underFault(lab: Lab, experiment: Experiment, underway: Underway): Promise<ExperimentResult> {
  const { place, probes, tell } = underway
  const probing = new AbortController()
  tell(`${experiment.fault} ${experiment.victim}`)
  const faultAtMs = wallMs()
  const successes = probeFloor({ writable: place.writable, table: probes }, probing.signal)
  const healedAtMs = await breakAndHeal(lab, experiment, underway)
  probing.abort()
  await sleep(failBackMs)
  tell('counting')
  const victims = experiment.fault === 'restart' ? place.dialled : [place.victim]
  const window = { faultAtMs, healedAtMs, victims }
  return {
    experiment,
    window,
    floorMs: darkMs(await successes, faultAtMs, healedAtMs),
    fared: await count(lab, experiment, { ...underway, window }),
  }
}

// Resolves with the moment at which healing began, when the cluster is whole again.
async function breakAndHeal(lab: Lab, experiment: Experiment, { runs, tell }: Underway): Promise<number> {
  const { fault, victim } = experiment
  if (fault === 'restart') {
    await restartAll(lab)
    return wallMs()
  }
  const lease = await breakNode(lab, fault, victim)
  const untilMs = wallMs() + experiment.holdMs
  if (recoversByItself(experiment)) {
    await recovered(
      runs.map(
        ({ run }) =>
          () =>
            countOf(run)['writes done'],
      ),
      recoveryMs,
    )
    await sleep(Math.max(afterMs, untilMs - wallMs()))
  } else {
    await sleep(outageMs)
  }
  tell(`healing ${victim}`)
  const healedAtMs = wallMs()
  await lease.heal()
  // Replicas that apply one transaction after the other agree with their primary only when the traffic is over.
  if (experiment.mode !== 'replication') await lab.ready()
  return healedAtMs
}

function recoversByItself({ mode, role }: Experiment): boolean {
  return mode !== 'replication' || role !== 'writer'
}

async function count(
  lab: Lab,
  { mode, settleMs }: Experiment,
  { runs, place, window }: Underway & { readonly window: Window },
): Promise<readonly Fared[]> {
  const ended = await Promise.all(
    runs.map(async ({ run, tables }) => ({ name: run.name, tables, result: await run.stop(settleMs) })),
  )
  const all: Fared[] = []
  for (const { name, tables, result } of ended) {
    const contents = await readEverywhere(place.dialled, tables, mode)
    all.push(fared(name, { result, contents, window }))
  }
  await lab.ready()
  return all
}
