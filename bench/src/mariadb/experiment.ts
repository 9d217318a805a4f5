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
  const tables = experiment.contestants.map((who) => tablesOf(experiments, who))
  const probes = `probes_${experiments}`
  const [writer = ''] = place.writable
  for (const each of tables) await createTables(writer, each)
  await createProbes(writer, probes)
  const runs: ClientRun[] = []
  try {
    for (const [i, contestant] of experiment.contestants.entries()) {
      runs.push(await startOne(experiment, { contestant, tables: tables[i], dialled: place.dialled }))
    }
    onPhase('traffic', runs)
    await sleep(warmUpMs)
    return await underFault(lab, experiment, { runs, tables, place, probes, onPhase })
  } finally {
    for (const run of runs) run.kill()
    await dropTables(writer, [...tables.flatMap(namesOf), probes])
  }
}

/** Runs experiments one after the other into `results`, with a line for each. */
export async function runExperiments(
  lab: Lab,
  experiments: readonly Experiment[],
  {
    results,
    onResult,
  }: { readonly results: ExperimentResult[]; readonly onResult: (result: ExperimentResult) => string },
): Promise<void> {
  for (const [i, experiment] of experiments.entries()) {
    const result = await runExperiment(lab, experiment)
    results.push(result)
    console.log(`${String(i + 1).padStart(3)}/${experiments.length} ${onResult(result)}`)
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

function startOne(
  { mode, rates, connections }: Experiment,
  {
    contestant,
    tables,
    dialled,
  }: {
    readonly contestant: string
    readonly tables: Tables | undefined
    readonly dialled: readonly string[]
  },
): Promise<ClientRun> {
  if (tables === undefined) throw new Error(`no tables for ${contestant}`)
  return runClient({ contestant, mode, endpoints: dialled, tables, connections, rates })
}

interface Underway {
  readonly runs: readonly ClientRun[]
  readonly tables: readonly Tables[]
  readonly place: Place
  readonly probes: string
  readonly onPhase: OnPhase
}

async function underFault(lab: Lab, experiment: Experiment, underway: Underway): Promise<ExperimentResult> {
  const { runs, place, probes, onPhase } = underway
  const probing = new AbortController()
  onPhase(`${experiment.fault} ${experiment.victim}`, runs)
  const faultAtMs = wallMs()
  const successes = probeFloor({ writable: place.writable, table: probes }, probing.signal)
  const healedAtMs = await breakAndHeal(lab, experiment, underway)
  probing.abort()
  await sleep(failBackMs)
  onPhase('counting', runs)
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
async function breakAndHeal(lab: Lab, experiment: Experiment, { runs, onPhase }: Underway): Promise<number> {
  const { fault, victim } = experiment
  if (fault === 'restart') {
    await restartAll(lab)
    return wallMs()
  }
  const lease = await breakNode(lab, fault, victim)
  const untilMs = wallMs() + experiment.holdMs
  if (recoversByItself(experiment)) {
    await recovered(
      runs.map((run) => () => countOf(run)['writes done']),
      recoveryMs,
    )
    await sleep(Math.max(afterMs, untilMs - wallMs()))
  } else {
    await sleep(outageMs)
  }
  onPhase(`healing ${victim}`, runs)
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
  { mode, victim, settleMs }: Experiment,
  { runs, tables, place, window }: Underway & { readonly window: Window },
): Promise<readonly Fared[]> {
  const results = await Promise.all(runs.map((run) => run.stop(settleMs)))
  const all: Fared[] = []
  for (const [i, result] of results.entries()) {
    const own = tables[i]
    if (own === undefined) throw new Error(`no tables of ${runs[i]?.name} while ${victim} was broken`)
    const contents = await readEverywhere(place.dialled, own, mode)
    all.push(fared(runs[i]?.name ?? '', { result, contents, window }))
  }
  await lab.ready()
  return all
}
