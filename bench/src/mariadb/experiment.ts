import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { type ProbePace, probeSuccesses } from '../harness/floor-probe.ts'
import { darkMs } from '../harness/stats.ts'
import { waitForRecovery, wallMs } from '../harness/timing.ts'
import { type ClientResult, clientResult, type FaultWindow } from './client-result.ts'
import { endpointsOf, type FaultKind, injectFault, type Mode, restartAll, withConnection } from './cluster.ts'
import { createTables, dropTables, namesOf, readEverywhere, type Tables, tablesOf } from './tables.ts'
import { type ClientRun, progressOf, type Rates, runClient } from './traffic.ts'

/** One fault under traffic. */
export interface Experiment {
  readonly mode: Mode
  readonly fault: FaultKind
  /** What the victim is to the clients: the server that takes their writes, or one that they only read. */
  readonly role: 'writer' | 'replica'
  readonly victim: string
  readonly clientNames: readonly string[]
  readonly rates: Rates
  readonly connections: number
  /** How long a fault lasts that the clients survive, at the least. */
  readonly holdMs: number
  /** How long an operation may take to settle when the traffic is over. */
  readonly settleMs: number
}

export interface ExperimentResult {
  readonly experiment: Experiment
  readonly window: FaultWindow
  /** The same silence as measured by the baseline probe. */
  readonly floorMs: number | undefined
  readonly clients: readonly ClientResult[]
}

const warmUpMs = 3_000
const afterMs = 1_500
// Long enough for our client to return to the healed server, which it does three seconds after it is well.
const failBackMs = 5_000
const recoveryMs = 25_000
// A primary in a replication has no automatic successor: its writers wait until it is healed.
const outageMs = 4_000

let experiments = 0

/** Called with the phase of an experiment and the clients in it. */
type OnPhase = (phase: string, runs: readonly ClientRun[]) => void

/** Runs one experiment: traffic, fault, recovery, healing, and the check of the logs. The cluster is whole again afterwards. */
export async function runExperiment(
  lab: Lab,
  experiment: Experiment,
  onPhase: OnPhase = () => undefined,
): Promise<ExperimentResult> {
  experiments += 1
  const placement = placementOf(lab, experiment)
  const participants = experiment.clientNames.map((name) => ({ name, tables: tablesOf(experiments, name) }))
  const probes = `probes_${experiments}`
  const [writer = ''] = placement.writable
  for (const { tables } of participants) await createTables(writer, tables)
  await createProbes(writer, probes)
  const runs: RunningClient[] = []
  const reportPhase = (phase: string): void =>
    onPhase(
      phase,
      runs.map(({ run }) => run),
    )
  try {
    for (const { name, tables } of participants) {
      const { mode, rates, connections } = experiment
      const setup = { client: name, mode, endpoints: placement.dialled, tables, connections, rates }
      runs.push({ run: await runClient(setup), tables })
    }
    reportPhase('traffic')
    await sleep(warmUpMs)
    return await measureUnderFault(lab, experiment, { runs, placement, probes, reportPhase })
  } finally {
    for (const { run } of runs) run.kill()
    await dropTables(writer, [...participants.flatMap(({ tables }) => namesOf(tables)), probes])
  }
}

interface Placement {
  /** The order in which clients try the servers. */
  readonly dialled: readonly string[]
  /** Where the floor is measured: servers that take writes while the fault lasts, or when it is over. */
  readonly writable: readonly string[]
  readonly victim: string
}

function placementOf(lab: Lab, { victim, mode }: Experiment): Placement {
  const endpoints = endpointsOf(lab)
  const all = [...endpoints.values()]
  const victimAt = endpoints.get(victim) ?? ''
  const others = all.filter((endpoint) => endpoint !== victimAt)
  return mode === 'replication'
    ? { dialled: all, writable: all.slice(0, 1), victim: victimAt }
    : { dialled: [victimAt, ...others], writable: others, victim: victimAt }
}

/** A client at work, and the tables that only it writes to. */
interface RunningClient {
  readonly run: ClientRun
  readonly tables: Tables
}

interface RunningExperiment {
  readonly runs: readonly RunningClient[]
  readonly placement: Placement
  readonly probes: string
  readonly reportPhase: (phase: string) => void
}

async function measureUnderFault(
  lab: Lab,
  experiment: Experiment,
  running: RunningExperiment,
): Promise<ExperimentResult> {
  const { placement, probes, reportPhase } = running
  const probing = new AbortController()
  reportPhase(`${experiment.fault} ${experiment.victim}`)
  const faultAtMs = wallMs()
  const successes = probeFloor({ writable: placement.writable, table: probes }, probing.signal)
  const healedAtMs = await injectAndHeal(lab, experiment, running)
  probing.abort()
  await sleep(failBackMs)
  reportPhase('verifying')
  const victims = experiment.fault === 'restart' ? placement.dialled : [placement.victim]
  const window = { faultAtMs, healedAtMs, victims }
  return {
    experiment,
    window,
    floorMs: darkMs(await successes, faultAtMs, healedAtMs),
    clients: await count(lab, experiment, { ...running, window }),
  }
}

// Resolves with the moment at which healing began, when the cluster is whole again.
async function injectAndHeal(
  lab: Lab,
  experiment: Experiment,
  { runs, reportPhase }: RunningExperiment,
): Promise<number> {
  const { fault, victim } = experiment
  if (fault === 'restart') {
    await restartAll(lab)
    return wallMs()
  }
  const lease = await injectFault(lab, fault, victim)
  const untilMs = wallMs() + experiment.holdMs
  if (recoversByItself(experiment)) {
    await waitForRecovery(
      runs.map(
        ({ run }) =>
          () =>
            progressOf(run)['writes done'],
      ),
      recoveryMs,
    )
    await sleep(Math.max(afterMs, untilMs - wallMs()))
  } else {
    await sleep(outageMs)
  }
  reportPhase(`healing ${victim}`)
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
  { runs, placement, window }: RunningExperiment & { readonly window: FaultWindow },
): Promise<readonly ClientResult[]> {
  const ended = await Promise.all(
    runs.map(async ({ run, tables }) => ({ name: run.name, tables, result: await run.stop(settleMs) })),
  )
  const all: ClientResult[] = []
  for (const { name, tables, result } of ended) {
    const contents = await readEverywhere(placement.dialled, tables, mode)
    all.push(clientResult(name, { result, contents, window }))
  }
  await lab.ready()
  return all
}

export interface ExperimentSeries extends Omit<Experiment, 'fault' | 'role' | 'victim'> {
  readonly faults: number
  readonly faultKinds: readonly FaultKind[]
  readonly nodes: readonly string[]
}

/**
 * Distributes a number of faults evenly over their kinds; the victims take turns. The first server of a replication is its
 * primary: there the roles take turns as well, and a cluster has no replicas.
 */
export function planExperiments({
  faults,
  faultKinds,
  nodes,
  ...shared
}: ExperimentSeries): readonly Experiment[] {
  return Array.from({ length: faults }, (_, i) => {
    const fault = faultKinds[i % faultKinds.length] ?? 'kill'
    const turn = Math.floor(i / faultKinds.length)
    const victim = nodes[turn % nodes.length] ?? ''
    const role = shared.mode === 'replication' && victim !== nodes[0] ? 'replica' : 'writer'
    return { ...shared, fault, role, victim }
  })
}

interface FloorProbe {
  /** Servers that can be written to, as `host:port`. */
  readonly writable: readonly string[]
  readonly table: string
}

/** Makes the table that the probe writes to. */
async function createProbes(endpoint: string, table: string): Promise<void> {
  const sql = `CREATE TABLE ${table} (n BIGINT AUTO_INCREMENT PRIMARY KEY)`
  await withConnection(endpoint, (connection) => connection.query(sql))
}

// While the survivors wait for each other, every attempt hangs and then succeeds: more of them would only fill
// `max_connections`.
const pace: ProbePace = { everyMs: 20, maxConcurrent: 40 }

/**
 * The lower bound for a client: the probe detects nothing and restores nothing; it opens a fresh connection to a
 * survivor and inserts a row, again and again until the signal fires. Resolves with the instants of its successes; their
 * longest silence is the floor.
 */
function probeFloor(probe: FloorProbe, signal: AbortSignal): Promise<readonly number[]> {
  const attempt = (i: number): Promise<unknown> =>
    insertOnce(probe.writable[i % probe.writable.length] ?? '', probe.table)
  return probeSuccesses(attempt, pace, signal)
}

function insertOnce(endpoint: string, table: string): Promise<unknown> {
  return withConnection(endpoint, (connection) => connection.query(`INSERT INTO ${table} () VALUES ()`))
}
