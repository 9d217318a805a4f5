import { setTimeout as sleep } from 'node:timers/promises'
import { formatEndpoint } from '@ha/core'
import { recovered } from '../harness/progress.ts'
import { darkMs, type Silence, silencesOf } from '../harness/silence.ts'
import { wallMs } from '../harness/wall-clock.ts'
import type { Finished, Note } from '../harness/worker-messages.ts'
import { type ContestantRun, countOf, type Outcome, runContestant } from './contestant-run.ts'
import { type FaultKind, timingOf } from './faults.ts'
import { probeFloor } from './floor.ts'
import { confirmInstants, judgeLedger, type Ledger, type LedgerVerdict, type Left } from './ledger.ts'
import {
  consumeArgumentsOf,
  declareQueues,
  deleteQueues,
  drainQueue,
  type QueueKind,
  queueName,
} from './queues.ts'
import type { Stage } from './stage.ts'

/** What the victim is to the clients: it leads their queue, holds their connections, or both. */
export type VictimRole = 'leader and connections' | 'connections' | 'leader'

export const victimRoles: readonly VictimRole[] = ['leader and connections', 'connections', 'leader']

/** One fault under traffic. */
export interface Experiment {
  readonly queueKind: QueueKind
  readonly fault: FaultKind
  readonly role: VictimRole
  /** The node that suffers. */
  readonly victim: string
  readonly contestants: readonly string[]
  readonly ratePerSecond: number
  /** How long a peer waits before it connects again. */
  readonly retryMs: number
  /** How long a node stays frozen, or cut off. */
  readonly silentMs: number
}

/** How one contestant fared. */
export interface Fared {
  readonly name: string
  /** The longest silence between confirms that began before the fault was healed; undefined when none came back. */
  readonly darkMs: number | undefined
  readonly darkDeliveryMs: number | undefined
  /** The longest silences between confirms: when they began after the fault, and how long they were. */
  readonly silences: readonly Silence[]
  readonly verdict: LedgerVerdict
  readonly unhandled: readonly string[]
  readonly notes: readonly Note[]
  readonly ledger: Ledger
}

export interface ExperimentResult {
  readonly experiment: Experiment
  readonly faultAtMs: number
  readonly healedAtMs: number
  /** The same silence as seen by the probe that knows everything. */
  readonly floorMs: number | undefined
  /** The longest silences of the probe. */
  readonly floorSilences: readonly Silence[]
  readonly fared: readonly Fared[]
}

const warmUpMs = 1_500
const afterMs = 1_500
const settleMs = 15_000

let experiments = 0

/** Hears where an experiment is, and who is at work. */
export type OnPhase = (phase: string, runs: readonly ContestantRun[]) => void

/** Runs one experiment: traffic, fault, recovery, healing, and the ledgers. The cluster is whole again afterwards. */
export async function runExperiment(
  lab: Stage,
  experiment: Experiment,
  onPhase: OnPhase = () => undefined,
): Promise<ExperimentResult> {
  experiments += 1
  const place = placeOf(lab, experiment)
  const queueOf = (who: string): string => queueName(experiment.queueKind, `drill.${experiments}.${who}`)
  const queues = experiment.contestants.map(queueOf)
  await declareQueues(place.leader, experiment.queueKind, queues)
  const runs: ContestantRun[] = []
  try {
    for (const contestant of experiment.contestants) {
      runs.push(await startOne(experiment, contestant, queueOf(contestant), place.dialled))
    }
    onPhase('traffic', runs)
    await sleep(warmUpMs)
    await checkLeader(lab, experiment, queues)
    return await underFault(lab, experiment, { runs, queues, survivors: place.survivors, onPhase })
  } finally {
    for (const run of runs) run.kill()
    await deleteQueues(place.survivors[0] ?? '', queues)
  }
}

// A fault of the wrong node would measure something else under the same name.
async function checkLeader(
  lab: Stage,
  { role, victim }: Experiment,
  queues: readonly string[],
): Promise<void> {
  if (lab.leaderOf === undefined) return
  for (const queue of queues) {
    const leader = await lab.leaderOf(queue)
    if ((leader === victim) !== (role !== 'connections')) {
      throw new Error(`${queue} is led by ${leader}: no fault of the ${role} on ${victim}`)
    }
  }
}

interface Place {
  /** Where the queues are led, as `host:port`. */
  readonly leader: string
  /** The order in which clients try the nodes. */
  readonly dialled: readonly string[]
  readonly survivors: readonly string[]
}

function placeOf(lab: Stage, { victim, role }: Experiment): Place {
  const endpoints = new Map(lab.nodes.map(({ name, endpoint }) => [name, formatEndpoint(endpoint)]))
  const victimAt = endpoints.get(victim) ?? ''
  const survivors = [...endpoints.values()].filter((endpoint) => endpoint !== victimAt)
  return {
    survivors,
    leader: role === 'connections' ? (survivors[0] ?? '') : victimAt,
    dialled: role === 'leader' ? [...survivors, victimAt] : [victimAt, ...survivors],
  }
}

function startOne(
  { queueKind, ratePerSecond, retryMs }: Experiment,
  contestant: string,
  queue: string,
  endpoints: readonly string[],
): Promise<ContestantRun> {
  return runContestant({
    contestant,
    queue,
    endpoints,
    ratePerSecond,
    retryMs,
    consumeArguments: consumeArgumentsOf(queueKind),
  })
}

interface Underway {
  readonly runs: readonly ContestantRun[]
  /** The queue of each run. */
  readonly queues: readonly string[]
  readonly survivors: readonly string[]
  readonly onPhase: OnPhase
}

async function underFault(lab: Stage, experiment: Experiment, underway: Underway): Promise<ExperimentResult> {
  const { fault, victim, role } = experiment
  const { leaseMs, holdMs, recoveryMs, probeEveryMs } = timingOf(fault, experiment.silentMs)
  const { runs, queues, survivors, onPhase } = underway
  const probing = new AbortController()
  onPhase(`${fault} ${victim}, ${role}`, runs)
  const faultAtMs = wallMs()
  const floor = { survivors, queue: queues[0] ?? '', everyMs: probeEveryMs }
  const successes = probeFloor(floor, probing.signal)
  const lease = await lab.fault(fault, victim, { forMs: leaseMs })
  await recovered(
    runs.map((run) => () => countOf(run).confirmed),
    recoveryMs,
  )
  await sleep(afterMs)
  await sleep(Math.max(0, faultAtMs + holdMs - wallMs()))
  probing.abort()
  onPhase(`healing ${victim}`, runs)
  const healedAtMs = wallMs()
  await lease.heal()
  await lab.ready()
  await sleep(afterMs)
  onPhase('counting', runs)
  const results = await Promise.all(runs.map((run) => run.stop(settleMs)))
  const fared: Fared[] = []
  for (const [i, result] of results.entries()) {
    const left = await drainQueue(survivors[0] ?? '', queues[i] ?? '')
    fared.push(faredOf(runs[i]?.name ?? '', result, { left, faultAtMs, healedAtMs }))
  }
  const probed = await successes
  const floorMs = darkMs(probed, faultAtMs, healedAtMs)
  const floorSilences = silencesOf(probed, faultAtMs, 3)
  return { experiment, faultAtMs, healedAtMs, floorMs, floorSilences, fared }
}

function faredOf(
  name: string,
  { ledger, notes, unhandled }: Finished<Outcome>,
  {
    left,
    faultAtMs,
    healedAtMs,
  }: { readonly left: readonly Left[]; readonly faultAtMs: number; readonly healedAtMs: number },
): Fared {
  const deliveries = ledger.consumed.map(({ atMs }) => atMs)
  return {
    name,
    darkMs: darkMs(confirmInstants(ledger), faultAtMs, healedAtMs),
    darkDeliveryMs: darkMs(deliveries, faultAtMs, healedAtMs),
    silences: silencesOf(confirmInstants(ledger), faultAtMs, 5),
    verdict: judgeLedger(ledger, left),
    unhandled,
    notes,
    ledger,
  }
}
