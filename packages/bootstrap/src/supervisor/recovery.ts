import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Clock } from '@ha/core'
import {
  decideRecovery,
  type Evidence,
  type Recovery,
  readLastView,
  readRecoveredPosition,
  readSavedState,
  readSourceState,
  type SourceState,
  setSafeToBootstrap,
} from '../galera/recovery.ts'
import type { Journal } from '../lab/journal.ts'
import type { RunCommand } from '../machine/run-command.ts'
import { labError } from '../model/errors.ts'
import type { LabPlan, PlannedRecovery, PlannedSource } from '../model/plan.ts'
import type { Processes } from './processes.ts'

const askEveryMs = 100
// A bootstrapped node has a majority within a second, a promoted one after its timers.
const majorityTimeoutMs = 60_000
const promoteTimeoutMs = 10_000

/** What a recovery works with. */
export interface RecoveryDeps {
  readonly plan: LabPlan
  readonly journal: Journal
  readonly clock: Clock
  readonly processes: Pick<Processes, 'running' | 'start' | 'end'>
  readonly run: RunCommand
  /** Aborted when the supervisor ends. */
  readonly signal: AbortSignal
}

/** Examines every node and decides how to recover the cluster. It changes nothing. */
export async function assessRecovery(
  deps: RecoveryDeps,
  assumeLost: readonly string[],
  mayReunite: boolean = true,
): Promise<Recovery> {
  const { sources, arbitrators } = recoveryOf(deps.plan)
  const evidence = await collectEvidence(sources, deps)
  // An arbitrator keeps no state: a view of which it was a member cannot be restored.
  const constraints = { assumeLost, mayReunite: mayReunite && arbitrators.length === 0 }
  return { evidence, decision: decideRecovery(evidence, constraints) }
}

/** Recovers the cluster and resolves when every node that can run does; rejects when the outcome would be a guess. */
export async function recover(
  deps: RecoveryDeps,
  assumeLost: readonly string[],
  mayReunite: boolean = true,
): Promise<Recovery> {
  const recovery = await assessRecovery(deps, assumeLost, mayReunite)
  const { evidence, decision } = recovery
  if (decision.kind === 'refuse') throw labError('recovery-refused', decision.because)
  deps.journal.record({ type: 'recovering', decision, evidence })
  if (decision.kind === 'reunite' && !(await reunite(deps))) return await recover(deps, assumeLost, false)
  if (decision.kind === 'promote') await promote(sourceOf(deps, decision.node), deps)
  if (decision.kind === 'bootstrap') await bootstrap(decision.node, deps)
  await joinAll(deps, assumeLost)
  return recovery
}

/**
 * Starts every process of a lab that is down: Galera from its most advanced node, everything else at once, since nodes
 * that wait for each other come up together. Ends the faults of all nodes.
 */
export async function bringBack(deps: RecoveryDeps): Promise<void> {
  const { plan, journal, processes, signal } = deps
  journal.record({ type: 'working', on: 'bringing the lab back with its data' })
  if (plan.recovery !== null) {
    await recover(deps, [])
  } else {
    const nodes = new Set(plan.nodes.map(({ name }) => name))
    const [servers, helpers] = [true, false].map((isNode) =>
      plan.processes.map(({ name }) => name).filter((name) => nodes.has(name) === isNode),
    )
    // What several nodes need is started once, before them.
    for (const names of [helpers, servers]) {
      await Promise.all((names ?? []).map((name) => processes.start(name, signal)))
    }
  }
  for (const node of Object.keys(journal.state.faults)) {
    journal.record({ type: 'fault-healed', node, because: 'asked' })
  }
}

// Returns false when the nodes did not find each other; none of them runs then.
async function reunite({ plan, processes, signal }: RecoveryDeps): Promise<boolean> {
  const names = recoveryOf(plan).sources.map(({ node }) => node)
  const starts = await Promise.allSettled(names.map((name) => processes.start(name, signal, [])))
  signal.throwIfAborted()
  if (starts.every(({ status }) => status === 'fulfilled')) return true
  await Promise.all(names.map((name) => processes.end(name, 'SIGTERM')))
  return false
}

async function promote(source: PlannedSource, deps: RecoveryDeps): Promise<void> {
  const { run, signal } = deps
  const { status, stderr } = await run(source.promote, { timeoutMs: promoteTimeoutMs, signal })
  if (status !== 0)
    throw labError('tool-failed', `${source.node} could not be made the primary component: ${stderr.trim()}`)
  await waitForMajority(source, deps)
}

// The mark is removed from all other nodes first: two marked nodes could become two clusters.
async function bootstrap(name: string, deps: RecoveryDeps): Promise<void> {
  const { plan, processes, signal } = deps
  const { sources, founding } = recoveryOf(plan)
  for (const { node, stateFile } of sources) if (node !== name) writeSafeToBootstrap(stateFile, false)
  const source = sourceOf(deps, name)
  writeSafeToBootstrap(source.stateFile, true)
  await processes.start(name, signal, founding)
  await waitForMajority(source, deps)
}

// The nodes join one after the other, since two joiners hinder each other. Arbitrators start last, since no node can
// join them.
async function joinAll(deps: RecoveryDeps, assumeLost: readonly string[]): Promise<void> {
  const { plan, journal, processes, signal } = deps
  const { sources, arbitrators } = recoveryOf(plan)
  const down = sources.filter(({ node }) => processes.running(node) === undefined)
  for (const source of down) if (assumeLost.includes(source.node)) discardState(source)
  for (const name of [...down.map(({ node }) => node), ...arbitrators]) await processes.start(name, signal)
  for (const { node, action } of Object.values(journal.state.faults)) {
    const wasDown = action === 'kill' || action === 'stop'
    if (wasDown) journal.record({ type: 'fault-healed', node, because: 'asked' })
  }
}

async function waitForMajority(source: PlannedSource, deps: RecoveryDeps): Promise<void> {
  const { clock, signal } = deps
  const giveUpAt = clock.now() + majorityTimeoutMs
  while ((await queryServer(source, deps)).kind !== 'primary') {
    if (clock.now() > giveUpAt) {
      throw labError('timed-out', `${source.node} has no majority after ${majorityTimeoutMs} ms`)
    }
    await clock.sleep(askEveryMs, signal)
  }
}

// The file is written in place to keep its owner, and verified, since the recovery depends on it.
function writeSafeToBootstrap(path: string, isSafe: boolean): void {
  const text = setSafeToBootstrap(readFileSync(path, 'utf8'), isSafe)
  writeFileSync(path, text)
  if (readSavedState(readFileSync(path, 'utf8')).isMarkedSafe !== isSafe) {
    throw labError('internal', `${path} was not written with safe_to_bootstrap: ${isSafe ? 1 : 0}`)
  }
}

// A node whose data are given up joins like a node without data, and receives all of them again.
function discardState({ stateFile, viewFile }: PlannedSource): void {
  for (const path of [stateFile, viewFile]) rmSync(path, { force: true })
}

function sourceOf({ plan }: RecoveryDeps, name: string): PlannedSource {
  const source = recoveryOf(plan).sources.find(({ node }) => node === name)
  if (source === undefined) throw labError('internal', `the plan has no data source '${name}'`)
  return source
}

function recoveryOf(plan: LabPlan): PlannedRecovery {
  if (plan.recovery !== null) return plan.recovery
  throw labError(
    'recovery-refused',
    `${plan.lab} needs no recovery: nodes of ${plan.kind} recover by themselves`,
  )
}

const answerTimeoutMs = 1_500
// Reading the position replays the redo log first: 0.1 s for the 16 MB of a lab.
const findPositionTimeoutMs = 60_000

/** What collecting evidence works with. */
interface EvidenceDeps {
  readonly processes: Pick<Processes, 'running'>
  readonly run: RunCommand
  /** Aborted when the supervisor ends. */
  readonly signal: AbortSignal
}

/** The state of every node with data, in the order of the plan. It changes nothing. */
function collectEvidence(
  sources: readonly PlannedSource[],
  deps: EvidenceDeps,
): Promise<readonly Evidence[]> {
  return Promise.all(
    sources.map(async (source) => ({
      node: source.node,
      standing:
        deps.processes.running(source.node) === undefined
          ? await readDataFiles(source, deps)
          : await queryServer(source, deps),
    })),
  )
}

/** The state that a running node reports. */
async function queryServer(
  { askStanding }: Pick<PlannedSource, 'askStanding'>,
  { run, signal }: Pick<EvidenceDeps, 'run' | 'signal'>,
): Promise<SourceState> {
  const { status, stdout } = await run(askStanding, { timeoutMs: answerTimeoutMs, signal })
  if (status !== 0)
    return { kind: 'unknown', because: `it runs and did not answer within ${answerTimeoutMs} ms` }
  return readSourceState(stdout) ?? { kind: 'unknown', because: 'it runs and reports no state' }
}

async function readDataFiles(source: PlannedSource, { run, signal }: EvidenceDeps): Promise<SourceState> {
  const saved = readSavedState(readIfThere(source.stateFile))
  const common = {
    kind: 'down',
    isMarkedSafe: saved.isMarkedSafe,
    lastView: readLastView(readIfThere(source.viewFile)),
  } as const
  if (saved.history === null || saved.position !== null) return { ...saved, ...common, from: 'grastate.dat' }
  const { stdout, stderr } = await run(source.findPosition, { timeoutMs: findPositionTimeoutMs, signal })
  const found = readRecoveredPosition(`${stdout}\n${stderr}`)
  return { ...common, history: saved.history, position: null, ...found, from: 'wsrep-recover' }
}

// These files are missing where a node never had data or was stopped gracefully; that is equivalent to empty ones.
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
