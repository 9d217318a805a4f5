import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { type ProbePace, probeSuccesses } from '../harness/floor-probe.ts'
import { darkMs } from '../harness/stats.ts'
import { waitForRecovery, wallMs } from '../harness/timing.ts'
import { type ClientResult, clientResult, type FaultWindow } from './client-result.ts'
import { type ClientPaths, clientPaths, createClientPaths, readEverywhere } from './contents.ts'
import { endpointsOf, type FaultKind, injectFault, leaderOf, type Role, roles } from './ensemble.ts'
import { onSession } from './raw-session.ts'
import {
  checkRecipes,
  killRecipes,
  type RecipeVerdict,
  type RecipeWorkload,
  startRecipes,
} from './recipes.ts'
import { type ClientRun, type Rates, runClient, writesOf } from './traffic.ts'

/** One fault under traffic. */
export interface Experiment {
  readonly fault: FaultKind
  readonly role: Role
  readonly clientNames: readonly string[]
  readonly rates: Rates
  readonly sessionTimeoutMs: number
  /** Whether a lock, a registry and caches are at work beside the clients. */
  readonly hasRecipes: boolean
  /** How long a fault lasts, at the least. */
  readonly holdMs: number
  /** How long it lasts at the most, for who does not come back. */
  readonly maxFaultMs: number
}

export interface ExperimentResult {
  readonly experiment: Experiment
  readonly victim: string
  readonly window: FaultWindow
  /** The same silence as measured by the baseline probe; undefined when no server was broken. */
  readonly floorMs: number | undefined
  readonly clients: readonly ClientResult[]
  readonly recipes: RecipeVerdict | undefined
}

/** Called with the phase of an experiment and the clients in it. */
type OnPhase = (phase: string, runs: readonly ClientRun[]) => void

const warmUpMs = 2_000
// What caches may take to be equal again, once all servers agree; traffic ends in the middle of it.
const cachesMs = 2_000
const trafficAfterMs = 1_200
// Longer than a session: a contender that waits for a frozen holder has the lock by then.
const afterFreezeSessions = 2

/** Runs one experiment: traffic, fault, recovery, healing, and the check of the logs. The ensemble is whole again afterwards. */
export async function runExperiment(
  lab: Lab,
  experiment: Experiment,
  onPhase: OnPhase = () => undefined,
): Promise<ExperimentResult> {
  const context = await prepareExperiment(lab, experiment)
  const runs: RunningClient[] = []
  const reportPhase = (phase: string): void =>
    onPhase(
      phase,
      runs.map(({ run }) => run),
    )
  let recipes: RecipeWorkload | undefined
  try {
    for (const name of experiment.clientNames)
      runs.push(await startClient(lab, { experiment, context, name }))
    const [first] = runs
    if (experiment.hasRecipes && first !== undefined)
      recipes = await startRecipes({
        connect: lab.url,
        sessionTimeoutMs: experiment.sessionTimeoutMs,
        root: context.root,
        registers: first.paths.registers,
      })
    reportPhase('traffic')
    await sleep(warmUpMs)
    return await measureUnderFault(lab, experiment, { context, runs, recipes, reportPhase })
  } finally {
    for (const { run } of runs) run.kill()
    if (recipes !== undefined) await killRecipes(recipes)
  }
}

interface RunningExperiment {
  readonly context: ExperimentContext
  readonly runs: readonly RunningClient[]
  readonly recipes: RecipeWorkload | undefined
  readonly reportPhase: (phase: string) => void
}

async function measureUnderFault(
  lab: Lab,
  experiment: Experiment,
  running: RunningExperiment,
): Promise<ExperimentResult> {
  const { context, reportPhase } = running
  const faultAtMs = wallMs()
  const { healedAtMs, successes } =
    experiment.fault === 'client-freeze'
      ? await freezeHolder(experiment, running)
      : await injectServerFault(lab, experiment, running)
  const agreedAtMs = wallMs()
  await sleep(trafficAfterMs)
  reportPhase('verifying')
  const window = { faultAtMs, healedAtMs }
  const all = await count(lab, experiment, { ...running, window })
  await sleep(Math.max(0, agreedAtMs + cachesMs - wallMs()))
  return {
    experiment,
    victim: context.victim,
    window,
    floorMs: successes && darkMs(successes, faultAtMs, healedAtMs),
    clients: all,
    recipes: await checkWorkload(lab, running),
  }
}

interface Healed {
  readonly healedAtMs: number
  readonly successes: readonly number[] | undefined
}

async function injectServerFault(
  lab: Lab,
  experiment: Experiment,
  { context, runs, reportPhase }: RunningExperiment,
): Promise<Healed> {
  const { fault, role } = experiment
  if (fault === 'client-freeze') throw new Error('no server is broken in a freeze of a client')
  reportPhase(`${fault} ${context.victim}`)
  const survivors = [...endpointsOf(lab).values()].filter((endpoint) => endpoint !== context.victimAt)
  const probing = new AbortController()
  const successes = probeFloor({ survivors, folder: `${context.root}/floor` }, probing.signal)
  const lease = await injectFault(lab, fault, { role, node: context.victim })
  const untilMs = wallMs() + experiment.holdMs
  await waitForRecovery(
    runs.map(
      ({ run }) =>
        () =>
          writesOf(run),
    ),
    experiment.maxFaultMs,
  )
  await sleep(Math.max(0, untilMs - wallMs()))
  probing.abort()
  reportPhase(`healing ${context.victim}`)
  const healedAtMs = wallMs()
  await lease.heal()
  await lab.ready()
  return { healedAtMs, successes: await successes }
}

async function freezeHolder(
  { sessionTimeoutMs }: Experiment,
  { recipes, reportPhase }: RunningExperiment,
): Promise<Healed> {
  reportPhase('freezing the lock holder')
  await recipes?.store.freezeHolder(sessionTimeoutMs * 1.5)
  const healedAtMs = wallMs()
  await sleep(sessionTimeoutMs * afterFreezeSessions)
  return { healedAtMs, successes: undefined }
}

async function count(
  lab: Lab,
  { sessionTimeoutMs }: Experiment,
  { runs, window }: RunningExperiment & { readonly window: FaultWindow },
): Promise<readonly ClientResult[]> {
  const settleMs = sessionTimeoutMs * 2
  const ended = await Promise.all(
    runs.map(async ({ run, paths }) => ({ name: run.name, paths, result: await run.stop(settleMs) })),
  )
  const endpoints = [...endpointsOf(lab).values()]
  const all: ClientResult[] = []
  for (const { name, paths, result } of ended) {
    const contents = await readEverywhere(endpoints, paths)
    all.push(clientResult(name, { result, contents, window, deadlineMs: sessionTimeoutMs }))
  }
  return all
}

async function checkWorkload(
  lab: Lab,
  { recipes, context, runs }: RunningExperiment,
): Promise<RecipeVerdict | undefined> {
  const [first] = runs
  if (recipes === undefined || first === undefined) return undefined
  const [endpoint = ''] = endpointsOf(lab).values()
  const { registers } = first.paths
  return checkRecipes(recipes, { endpoint, root: context.root, registers })
}

/** Where one experiment plays. */
interface ExperimentContext {
  readonly root: string
  /** The server that is to be broken. */
  readonly victim: string
  readonly victimAt: string
  /** Where clients are attached when they begin: the victim, or anywhere but at it. */
  readonly isAttachedToVictim: boolean
}

/** A client at work, and the nodes that only it writes. */
interface RunningClient {
  readonly run: ClientRun
  readonly paths: ClientPaths
}

let experiments = 0

/** Chooses the victim, and makes the nodes that an experiment needs. */
async function prepareExperiment(lab: Lab, { role }: Experiment): Promise<ExperimentContext> {
  experiments += 1
  const root = `/x${experiments}`
  const endpoints = endpointsOf(lab)
  const leader = await leaderOf(lab)
  const followers = [...endpoints.keys()].filter((name) => name !== leader)
  const victim = role === 'leader' ? leader : (followers[experiments % followers.length] ?? '')
  const [endpoint = ''] = endpoints.values()
  await onSession(endpoint, async (session) => {
    for (const path of [root, `${root}/floor`, `${root}/watched`]) await session.create(path)
  })
  return { root, victim, victimAt: endpoints.get(victim) ?? '', isAttachedToVictim: role === 'attached' }
}

/** Starts a client where the stage wants it. */
async function startClient(
  lab: Lab,
  {
    experiment,
    context,
    name,
  }: { readonly experiment: Experiment; readonly context: ExperimentContext; readonly name: string },
): Promise<RunningClient> {
  const { root, victimAt, isAttachedToVictim } = context
  const id = clientIdOf(name)
  const paths = clientPaths(`${root}/${id}`)
  const [endpoint = ''] = endpointsOf(lab).values()
  await createClientPaths(endpoint, paths)
  const run = await runClient({
    connect: lab.url,
    sessionTimeoutMs: experiment.sessionTimeoutMs,
    client: name,
    rates: experiment.rates,
    paths,
    ephemeral: `${root}/here-${id}`,
    watched: `${root}/watched`,
    attachment: { endpoint: victimAt, isAttached: isAttachedToVictim },
  })
  return { run, paths }
}

/** A client's name as a part of a path. */
export function clientIdOf(name: string): string {
  return name.replaceAll(/[^a-z0-9]/g, '')
}

interface ExperimentSeries extends Omit<Experiment, 'fault' | 'role'> {
  readonly faults: number
  readonly faultKinds: readonly FaultKind[]
}

/** Distributes a number of faults evenly over their kinds; the leader and a server with a client take turns. */
export function planExperiments({ faults, faultKinds, ...shared }: ExperimentSeries): readonly Experiment[] {
  return Array.from({ length: faults }, (_, i) => {
    const kind = i % faultKinds.length
    const fault = faultKinds[kind] ?? 'kill'
    const turn = Math.floor(i / faultKinds.length)
    // Each kind meets both in turn, and not all of them meet the same one first.
    const role = roles[(kind + turn) % roles.length] ?? 'leader'
    return { ...shared, fault, role }
  })
}

interface FloorProbe {
  /** Servers that take part while the fault lasts, as `host:port`. */
  readonly survivors: readonly string[]
  /** The node below which the probe makes its nodes. */
  readonly folder: string
}

// While the survivors elect, every attempt hangs and then succeeds: more of them would only be more to wait for.
const pace: ProbePace = { everyMs: 20, maxConcurrent: 40 }

// Longer than an election with slow timers: an attempt that waits for one succeeds.
const attemptMs = 10_000

/**
 * The lower bound for a client: the probe detects nothing and restores nothing; it begins a new session on a survivor
 * and makes a node, again and again until the signal fires. Resolves with the instants of its successes; their longest
 * silence is the floor.
 */
function probeFloor({ survivors, folder }: FloorProbe, signal: AbortSignal): Promise<readonly number[]> {
  const attempt = (i: number): Promise<unknown> =>
    createOnce(survivors[i % survivors.length] ?? '', `${folder}/${i}`)
  return probeSuccesses(attempt, pace, signal)
}

function createOnce(endpoint: string, path: string): Promise<void> {
  return onSession(endpoint, (session) => session.create(path), attemptMs)
}
