import { parsePairs } from '../mariadb/commands.ts'

/** The decision how to recover a cluster, and its reason. It is recorded in the journal. */
export type RecoveryDecision =
  /** Part of the cluster is in the primary component: the other nodes join it. */
  | { readonly kind: 'join'; readonly because: string }
  /** A running node without a majority is made the primary component. */
  | { readonly kind: 'promote'; readonly node: string; readonly because: string }
  /** All nodes start at once and restore the view that they saw last. */
  | { readonly kind: 'reunite'; readonly because: string }
  /** One node bootstraps the cluster with its data. */
  | { readonly kind: 'bootstrap'; readonly node: string; readonly because: string }
  | { readonly kind: 'refuse'; readonly because: string }

/** The evidence of all nodes, and the decision that follows from it. */
export interface Recovery {
  readonly evidence: readonly Evidence[]
  readonly decision: RecoveryDecision
}

/** The constraints of a decision, beside the evidence. */
export interface RecoveryConstraints {
  /** The names of the nodes whose data are given up. */
  readonly assumeLost: readonly string[]
  /** False after an attempt to start all nodes at once, in which they did not find each other. */
  readonly mayReunite: boolean
}

type Down = Extract<SourceState, { kind: 'down' }>

/** A node whose position is known. */
interface Candidate {
  readonly node: string
  readonly history: string
  readonly position: number
  readonly isRunning: boolean
  readonly isMarkedSafe: boolean
}

/**
 * Decides how to recover a cluster without losing a write that any of its nodes has. The order of the checks is the
 * order of caution: never bootstrap a second cluster, never guess.
 */
export function decideRecovery(
  evidence: readonly Evidence[],
  constraints: RecoveryConstraints,
): RecoveryDecision {
  const primary = evidence.find(({ standing }) => standing.kind === 'primary')
  if (primary !== undefined) {
    return {
      kind: 'join',
      because: `no bootstrap needed: ${primary.node} is in the primary component; the other nodes join it`,
    }
  }
  const known = evidence.filter(({ node }) => !constraints.assumeLost.includes(node))
  const refusal = refuseUnknown(known)
  if (refusal !== undefined) return refusal
  if (constraints.mayReunite && constraints.assumeLost.length === 0 && sawSameView(evidence)) {
    return {
      kind: 'reunite',
      because: 'all nodes crashed in the same view; started together they restore it',
    }
  }
  const candidates = known.flatMap(candidate)
  return refuseSource(candidates) ?? chooseSource(candidates)
}

function refuseUnknown(known: readonly Evidence[]): RecoveryDecision | undefined {
  for (const { node, standing } of known) {
    if (standing.kind === 'unknown') {
      return refuse(`${node} could not be asked and may be ahead of the others: ${standing.because}`, node)
    }
    if (standing.kind === 'down' && standing.history !== null && standing.position === null) {
      return refuse(`${node} has data whose position is unknown`, node)
    }
  }
  return undefined
}

// There is no last view after a graceful stop, and different views may be of different times.
function sawSameView(evidence: readonly Evidence[]): boolean {
  const views = evidence.map(({ standing }) => (standing.kind === 'down' ? standing.lastView : null))
  return views.every((view) => view !== null && view === views[0])
}

function candidate({ node, standing }: Evidence): readonly Candidate[] {
  switch (standing.kind) {
    case 'primary':
    case 'without-majority':
      return [{ ...standing, node, isRunning: true, isMarkedSafe: false }]
    case 'down':
      return downCandidate(node, standing)
    case 'unknown':
      return []
  }
}

// A node without a history is an empty joiner: its mark proves nothing.
function downCandidate(node: string, { history, position, isMarkedSafe }: Down): readonly Candidate[] {
  if (history === null || position === null) return []
  return [{ node, history, position, isRunning: false, isMarkedSafe }]
}

function refuseSource(candidates: readonly Candidate[]): RecoveryDecision | undefined {
  const histories = [...new Set(candidates.map(({ history }) => history))]
  if (candidates.length === 0) return refuse('no node has data of the cluster')
  if (histories.length > 1) {
    const each = histories.map((history) => `${history} on ${nodesWith(candidates, history)}`).join(', ')
    return refuse(`the nodes have different histories, whose positions cannot be compared: ${each}`)
  }
  const marked = candidates.filter(({ isMarkedSafe }) => isMarkedSafe)
  if (marked.length > 1) {
    return refuse(`${marked.map(({ node }) => node).join(' and ')} are both marked as the last to stop`)
  }
  const ahead = mostAdvanced(candidates)
  const [safe] = marked
  if (safe !== undefined && ahead !== undefined && safe.position < ahead.position) {
    return refuse(`${safe.node} is marked as the last to stop, but ${ahead.node} is ahead of it`)
  }
  return undefined
}

function chooseSource(candidates: readonly Candidate[]): RecoveryDecision {
  const running = mostAdvanced(candidates.filter(({ isRunning }) => isRunning))
  const ahead = mostAdvanced(candidates)
  const safe = candidates.find(({ isMarkedSafe }) => isMarkedSafe)
  if (ahead === undefined) return refuse('no node has data of the cluster')
  if (running !== undefined) {
    if (running.position >= ahead.position) {
      return {
        kind: 'promote',
        node: running.node,
        because: `of the running nodes it is ${describePosition(running)}`,
      }
    }
    return refuse(`${ahead.node} is down and ahead of ${running.node}; first run: hactl resume ${ahead.node}`)
  }
  if (safe !== undefined) {
    return { kind: 'bootstrap', node: safe.node, because: `it stopped last and is ${describePosition(safe)}` }
  }
  return { kind: 'bootstrap', node: ahead.node, because: `it is ${describePosition(ahead)}` }
}

// Of equals the first: equal positions contain the same writes.
function mostAdvanced(candidates: readonly Candidate[]): Candidate | undefined {
  return candidates.reduce<Candidate | undefined>(
    (best, one) => (best === undefined || one.position > best.position ? one : best),
    undefined,
  )
}

function describePosition({ position }: Candidate): string {
  return `the most advanced of one history, at ${position}`
}

function nodesWith(candidates: readonly Candidate[], history: string): string {
  return candidates
    .filter((one) => one.history === history)
    .map(({ node }) => node)
    .join(' and ')
}

function refuse(because: string, node?: string): RecoveryDecision {
  const excuse = node === undefined ? '' : `; to give up its data: --assume-lost ${node}`
  return { kind: 'refuse', because: `${because}${excuse}` }
}

/**
 * The state of a node with data when its cluster must be recovered. Positions are comparable within one history only.
 */
export type SourceState =
  /** It runs and is in the primary component. */
  | { readonly kind: 'primary'; readonly history: string; readonly position: number }
  /** It runs and has no majority. */
  | { readonly kind: 'without-majority'; readonly history: string; readonly position: number }
  | {
      readonly kind: 'down'
      /** The identity of the cluster; null when the node never had its data. */
      readonly history: string | null
      /** The position of the data; null when it is unknown. */
      readonly position: number | null
      readonly from: 'grastate.dat' | 'wsrep-recover'
      /** Whether the node recorded that it was the last one to stop. */
      readonly isMarkedSafe: boolean
      /** The last view, as the node recorded it; null after a graceful stop. */
      readonly lastView: string | null
    }
  /** It could not be asked. */
  | { readonly kind: 'unknown'; readonly because: string }

/** A node and its state. */
export interface Evidence {
  readonly node: string
  readonly standing: SourceState
}

/** The position of the data of a stopped node. */
interface Position {
  readonly history: string
  readonly position: number
}

/** What a stopped node recorded about its data. */
interface SavedState {
  readonly history: string | null
  /** Null after a crash: then the position must be read from the data. */
  readonly position: number | null
  readonly isMarkedSafe: boolean
}

const noHistory = '00000000-0000-0000-0000-000000000000'

/** Reads `grastate.dat`; a missing file is equivalent to that of a node without data. */
export function readSavedState(text: string): SavedState {
  const history = /^uuid:\s*([0-9a-f-]{36})\s*$/m.exec(text)?.[1] ?? noHistory
  const position = Number(/^seqno:\s*(-?\d+)\s*$/m.exec(text)?.[1] ?? -1)
  return {
    history: history === noHistory ? null : history,
    position: position >= 0 ? position : null,
    isMarkedSafe: /^safe_to_bootstrap:\s*1\s*$/m.test(text),
  }
}

/** Returns the same file with the mark changed. */
export function setSafeToBootstrap(text: string, isSafe: boolean): string {
  return text.replace(/^safe_to_bootstrap:.*$/m, `safe_to_bootstrap: ${isSafe ? 1 : 0}`)
}

/**
 * Reads the last position in the output of `--wsrep-recover`: `uuid:position`, or the same with a GTID after a comma.
 * Undefined when there is none: a server without Galera ignores the option.
 */
export function readRecoveredPosition(output: string): Position | undefined {
  const found = [...output.matchAll(/Recovered position:\s*([0-9a-f-]{36}):(-?\d+)/g)].at(-1)
  const [, history = noHistory, position = '-1'] = found ?? []
  return history === noHistory || Number(position) < 0 ? undefined : { history, position: Number(position) }
}

/** Reads `gvwstate.dat`: the view and its members, without the line that differs between nodes. */
export function readLastView(text: string): string | null {
  const view = /^#vwbeg$(.*)^#vwend$/ms.exec(text)?.[1]?.trim()
  return view === undefined || view === '' ? null : view
}

/** Reads the state that a running node reported; undefined when it is incomplete. */
export function readSourceState(output: string): SourceState | undefined {
  const values = parsePairs(output)
  const [status, history, position] = ['cluster_status', 'local_state_uuid', 'last_committed'].map((name) =>
    values.get(`wsrep_${name}`),
  )
  if (status === undefined || history === undefined || position === undefined) return undefined
  const kind = status === 'Primary' ? 'primary' : 'without-majority'
  return { kind, history, position: Number(position) }
}
