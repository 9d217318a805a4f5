import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatEndpoint } from '@ha/core'
import { connect, type SocketOptions } from 'amqplib'
import { probeSuccesses } from '../harness/floor-probe.ts'
import { darkMs, longestSilences, type Silence } from '../harness/stats.ts'
import { waitForRecovery, wallMs } from '../harness/timing.ts'
import type { Note, WorkerResult } from '../harness/worker.ts'
import { type FaultKind, type TestCluster, timingOf } from './cluster.ts'
import {
  checkLog,
  confirmInstants,
  type LeftoverMessage,
  type LogVerdict,
  type MessageLog,
} from './message-log.ts'
import {
  consumeArgumentsOf,
  declareQueues,
  deleteQueues,
  drainQueue,
  type QueueKind,
  queueName,
} from './queues.ts'
import { type ClientRun, type ClientRunResult, probeContent, progressOf, runClient } from './traffic.ts'

/** What the victim is to the clients: it leads their queue, holds their connections, or both. */
export type VictimRole = 'leader and connections' | 'connections' | 'leader'

const victimRoles: readonly VictimRole[] = ['leader and connections', 'connections', 'leader']

/** One fault under traffic. */
export interface Experiment {
  readonly queueKind: QueueKind
  readonly fault: FaultKind
  readonly role: VictimRole
  /** The node that suffers. */
  readonly victim: string
  readonly clientNames: readonly string[]
  readonly ratePerSecond: number
  /** How long a peer waits before it connects again. */
  readonly retryMs: number
  /** How long a node stays frozen, or cut off. */
  readonly silentMs: number
}

/** The result of one client. */
export interface ClientResult {
  readonly name: string
  /** The longest silence between confirms that began before the fault was healed; undefined when none came back. */
  readonly darkMs: number | undefined
  readonly darkDeliveryMs: number | undefined
  /** The longest silences between confirms: when they began after the fault, and how long they were. */
  readonly silences: readonly Silence[]
  readonly verdict: LogVerdict
  readonly unhandled: readonly string[]
  readonly notes: readonly Note[]
  readonly log: MessageLog
}

export interface ExperimentResult {
  readonly experiment: Experiment
  readonly faultAtMs: number
  readonly healedAtMs: number
  /** The same silence as measured by the baseline probe. */
  readonly floorMs: number | undefined
  /** The longest silences of the probe. */
  readonly floorSilences: readonly Silence[]
  readonly clients: readonly ClientResult[]
}

const warmUpMs = 1_500
const afterMs = 1_500
const settleMs = 15_000

let experiments = 0

/** Called with the phase of an experiment and the clients in it. */
type OnPhase = (phase: string, runs: readonly ClientRun[]) => void

/** Runs one experiment: traffic, fault, recovery, healing, and the check of the logs. The cluster is whole again afterwards. */
export async function runExperiment(
  cluster: TestCluster,
  experiment: Experiment,
  onPhase: OnPhase = () => undefined,
): Promise<ExperimentResult> {
  experiments += 1
  const placement = placementOf(cluster, experiment)
  const queueOf = (who: string): string => queueName(experiment.queueKind, `drill.${experiments}.${who}`)
  const queues = experiment.clientNames.map(queueOf)
  await declareQueues(placement.leader, experiment.queueKind, queues)
  const runs: ClientRun[] = []
  try {
    for (const client of experiment.clientNames) {
      runs.push(await startOne(experiment, client, queueOf(client), placement.dialled))
    }
    onPhase('traffic', runs)
    await sleep(warmUpMs)
    await checkLeader(cluster, experiment, queues)
    return await measureUnderFault(cluster, experiment, {
      runs,
      queues,
      survivors: placement.survivors,
      onPhase,
    })
  } finally {
    for (const run of runs) run.kill()
    await deleteQueues(placement.survivors[0] ?? '', queues)
  }
}

// A fault of the wrong node would measure something else under the same name.
async function checkLeader(
  cluster: TestCluster,
  { role, victim }: Experiment,
  queues: readonly string[],
): Promise<void> {
  if (cluster.leaderOf === undefined) return
  for (const queue of queues) {
    const leader = await cluster.leaderOf(queue)
    if ((leader === victim) !== (role !== 'connections')) {
      throw new Error(`${queue} is led by ${leader}: no fault of the ${role} on ${victim}`)
    }
  }
}

interface Placement {
  /** Where the queues are led, as `host:port`. */
  readonly leader: string
  /** The order in which clients try the nodes. */
  readonly dialled: readonly string[]
  readonly survivors: readonly string[]
}

function placementOf(cluster: TestCluster, { victim, role }: Experiment): Placement {
  const endpoints = new Map(cluster.nodes.map(({ name, endpoint }) => [name, formatEndpoint(endpoint)]))
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
  client: string,
  queue: string,
  endpoints: readonly string[],
): Promise<ClientRun> {
  return runClient({
    client,
    queue,
    endpoints,
    ratePerSecond,
    retryMs,
    consumeArguments: consumeArgumentsOf(queueKind),
  })
}

interface RunningExperiment {
  readonly runs: readonly ClientRun[]
  /** The queue of each run. */
  readonly queues: readonly string[]
  readonly survivors: readonly string[]
  readonly onPhase: OnPhase
}

async function measureUnderFault(
  cluster: TestCluster,
  experiment: Experiment,
  running: RunningExperiment,
): Promise<ExperimentResult> {
  const { fault, victim, role } = experiment
  const { leaseMs, holdMs, recoveryMs, probeEveryMs } = timingOf(fault, experiment.silentMs)
  const { runs, queues, survivors, onPhase } = running
  const probing = new AbortController()
  onPhase(`${fault} ${victim}, ${role}`, runs)
  const faultAtMs = wallMs()
  const floor = { survivors, queue: queues[0] ?? '', everyMs: probeEveryMs }
  const successes = probeFloor(floor, probing.signal)
  const lease = await cluster.fault(fault, victim, { forMs: leaseMs })
  await waitForRecovery(
    runs.map((run) => () => progressOf(run).confirmed),
    recoveryMs,
  )
  await sleep(afterMs)
  await sleep(Math.max(0, faultAtMs + holdMs - wallMs()))
  probing.abort()
  onPhase(`healing ${victim}`, runs)
  const healedAtMs = wallMs()
  await lease.heal()
  await cluster.ready()
  await sleep(afterMs)
  onPhase('verifying', runs)
  const results = await Promise.all(runs.map((run) => run.stop(settleMs)))
  const clients: ClientResult[] = []
  for (const [i, result] of results.entries()) {
    const left = await drainQueue(survivors[0] ?? '', queues[i] ?? '')
    clients.push(clientResult(runs[i]?.name ?? '', result, { left, faultAtMs, healedAtMs }))
  }
  const probed = await successes
  const floorMs = darkMs(probed, faultAtMs, healedAtMs)
  const floorSilences = longestSilences(probed, faultAtMs, 3)
  return { experiment, faultAtMs, healedAtMs, floorMs, floorSilences, clients }
}

function clientResult(
  name: string,
  { log, notes, unhandled }: WorkerResult<ClientRunResult>,
  {
    left,
    faultAtMs,
    healedAtMs,
  }: { readonly left: readonly LeftoverMessage[]; readonly faultAtMs: number; readonly healedAtMs: number },
): ClientResult {
  const deliveries = log.consumed.map(({ atMs }) => atMs)
  return {
    name,
    darkMs: darkMs(confirmInstants(log), faultAtMs, healedAtMs),
    darkDeliveryMs: darkMs(deliveries, faultAtMs, healedAtMs),
    silences: longestSilences(confirmInstants(log), faultAtMs, 5),
    verdict: checkLog(log, left),
    unhandled,
    notes,
    log,
  }
}

export interface ExperimentSeries {
  readonly faults: number
  readonly faultKinds: readonly FaultKind[]
  readonly queueKinds: readonly QueueKind[]
  readonly nodes: readonly string[]
  readonly clientNames: readonly string[]
  readonly ratePerSecond: number
  readonly retryMs: number
  readonly silentMs: number
}

/** Distributes a number of faults evenly over queue kinds and fault kinds; victims and their roles take turns. */
export function planExperiments(series: ExperimentSeries): readonly Experiment[] {
  const cells = series.queueKinds.flatMap((queueKind) =>
    series.faultKinds.map((fault) => ({ queueKind, fault })),
  )
  return Array.from({ length: series.faults }, (_, i) => {
    const cell = cells[i % cells.length]
    const turn = Math.floor(i / cells.length)
    return {
      queueKind: cell?.queueKind ?? 'quorum',
      fault: cell?.fault ?? 'kill',
      role: roleOf(turn),
      victim: series.nodes[turn % series.nodes.length] ?? '',
      clientNames: series.clientNames,
      ratePerSecond: series.ratePerSecond,
      retryMs: series.retryMs,
      silentMs: series.silentMs,
    }
  })
}

// The role changes with each round over the nodes as well, so that no node has always the same part.
function roleOf(turn: number): VictimRole {
  return (
    victimRoles[(turn + Math.floor(turn / victimRoles.length)) % victimRoles.length] ??
    'leader and connections'
  )
}

interface FloorProbe {
  /** Nodes that are not the victim, as `host:port`. */
  readonly survivors: readonly string[]
  /** The queue under test itself: another one would have an election of its own, with luck of its own. */
  readonly queue: string
  /** How long after one attempt the next one begins beside it. */
  readonly everyMs: number
}

/**
 * The lower bound for a client: the probe detects nothing and restores nothing; it opens a fresh connection to a
 * survivor and publishes once with a confirm, again and again until the signal fires. Resolves with the instants of
 * its successes; their longest silence is the floor.
 */
function probeFloor(probe: FloorProbe, signal: AbortSignal): Promise<readonly number[]> {
  // Every attempt's socket hangs on this signal for as long as it lives.
  setMaxListeners(0, signal)
  const { survivors, queue, everyMs } = probe
  const attempt = (i: number): Promise<unknown> =>
    publishOnce(survivors[i % survivors.length] ?? '', queue, signal)
  return probeSuccesses(attempt, { everyMs, maxConcurrent: Number.POSITIVE_INFINITY }, signal)
}

async function publishOnce(endpoint: string, queue: string, signal: AbortSignal): Promise<void> {
  const socket = { noDelay: true, signal } as SocketOptions
  const model = await connect(`amqp://guest:guest@${endpoint}`, socket)
  model.on('error', () => undefined)
  try {
    const channel = await model.createConfirmChannel()
    channel.on('error', () => undefined)
    await new Promise<void>((resolve, reject) => {
      const settle = (error: unknown): void => (error ? reject(error) : resolve())
      channel.publish('', queue, probeContent, { persistent: true }, settle)
    })
  } finally {
    model.close().catch(() => undefined)
  }
}
