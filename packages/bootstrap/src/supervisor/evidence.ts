import { readFileSync } from 'node:fs'
import {
  type Evidence,
  readLastView,
  readRecoveredPosition,
  readSavedState,
  readSourceState,
  type SourceState,
} from '../galera/evidence.ts'
import type { RunCommand } from '../machine/run-command.ts'
import type { PlannedSource } from '../model/plan.ts'
import type { Processes } from './processes.ts'

const answerTimeoutMs = 1_500
// Reading the position replays the redo log first: 0.1 s for the 16 MB of a lab.
const findPositionTimeoutMs = 60_000

/** What gathering evidence works with. */
export interface EvidenceDeps {
  readonly processes: Pick<Processes, 'running'>
  readonly run: RunCommand
  /** Fires when the supervisor ends. */
  readonly signal: AbortSignal
}

/** What is known of every node with data, in the order of the plan. It changes nothing. */
export function collectEvidence(
  sources: readonly PlannedSource[],
  parts: EvidenceDeps,
): Promise<readonly Evidence[]> {
  return Promise.all(
    sources.map(async (source) => ({
      node: source.node,
      standing:
        parts.processes.running(source.node) === undefined
          ? await readDataFiles(source, parts)
          : await queryServer(source, parts),
    })),
  )
}

/** What a running node says of itself. */
export async function queryServer(
  { askStanding }: Pick<PlannedSource, 'askStanding'>,
  { run, signal }: Pick<EvidenceDeps, 'run' | 'signal'>,
): Promise<SourceState> {
  const { status, stdout } = await run(askStanding, { timeoutMs: answerTimeoutMs, signal })
  if (status !== 0) return { kind: 'unknown', because: `it runs and gave no answer in ${answerTimeoutMs} ms` }
  return readSourceState(stdout) ?? { kind: 'unknown', because: 'it runs and does not say how it stands' }
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

// A node that never had data, or was stopped gracefully, lacks these files: that says as much as their content.
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
