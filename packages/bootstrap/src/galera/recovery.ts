import { pairs } from '../mariadb/commands.ts'

/** What will be done to bring a cluster back, and why. */
export type RecoveryDecision =
  /** A part of it has a majority: the others join that. */
  | { readonly kind: 'join'; readonly because: string }
  /** One that runs without a majority is made the whole cluster. */
  | { readonly kind: 'promote'; readonly node: string; readonly because: string }
  /** All start at once: they find each other by the view that they saw last. */
  | { readonly kind: 'reunite'; readonly because: string }
  /** One founds the cluster anew with its data. */
  | { readonly kind: 'bootstrap'; readonly node: string; readonly because: string }
  | { readonly kind: 'refuse'; readonly because: string }

/** What is known of the nodes, and what that leads to. */
export interface Recovery {
  readonly evidence: readonly Evidence[]
  readonly decision: RecoveryDecision
}

/** What the evidence is weighed with. */
export interface RecoveryConstraints {
  /** Nodes whose data are given up, by name. */
  readonly assumeLost: readonly string[]
  /** False when all were started at once before and did not find each other. */
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
 * Decides how a cluster comes back without losing a write that any of its nodes has. The order of the questions is
 * the order of caution: never found a second cluster, never guess.
 */
export function decideRecovery(evidence: readonly Evidence[], wish: RecoveryConstraints): RecoveryDecision {
  const primary = evidence.find(({ standing }) => standing.kind === 'primary')
  if (primary !== undefined) {
    return { kind: 'join', because: `${primary.node} has a majority: the others join it` }
  }
  const heard = evidence.filter(({ node }) => !wish.assumeLost.includes(node))
  const unheard = refuseUnknown(heard)
  if (unheard !== undefined) return unheard
  if (wish.mayReunite && wish.assumeLost.length === 0 && sawSameView(evidence)) {
    return { kind: 'reunite', because: 'all crashed in the same view: started together they form it again' }
  }
  const candidates = heard.flatMap(candidate)
  return refuseSource(candidates) ?? chooseSource(candidates)
}

function refuseUnknown(heard: readonly Evidence[]): RecoveryDecision | undefined {
  for (const { node, standing } of heard) {
    if (standing.kind === 'unknown') {
      return refuse(`${node} could not be asked and may be ahead of the others: ${standing.because}`, node)
    }
    if (standing.kind === 'down' && standing.history !== null && standing.position === null) {
      return refuse(`${node} has data and nobody can say how far they are`, node)
    }
  }
  return undefined
}

// After a graceful stop there is no last view; and different views may be of different times.
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

// A node without a history is an empty joiner: whatever its mark says, it proves nothing.
function downCandidate(node: string, { history, position, isMarkedSafe }: Down): readonly Candidate[] {
  if (history === null || position === null) return []
  return [{ node, history, position, isRunning: false, isMarkedSafe }]
}

function refuseSource(candidates: readonly Candidate[]): RecoveryDecision | undefined {
  const histories = [...new Set(candidates.map(({ history }) => history))]
  if (candidates.length === 0) return refuse('no node has any data of the cluster')
  if (histories.length > 1) {
    const each = histories.map((history) => `${history} on ${nodesWith(candidates, history)}`).join(', ')
    return refuse(`the nodes have different histories, and positions in them cannot be compared: ${each}`)
  }
  const marked = candidates.filter(({ isMarkedSafe }) => isMarkedSafe)
  if (marked.length > 1) {
    return refuse(`${marked.map(({ node }) => node).join(' and ')} both say that they stopped last`)
  }
  const ahead = mostAdvanced(candidates)
  const [safe] = marked
  if (safe !== undefined && ahead !== undefined && safe.position < ahead.position) {
    return refuse(`${safe.node} says that it stopped last, and ${ahead.node} is ahead of it`)
  }
  return undefined
}

function chooseSource(candidates: readonly Candidate[]): RecoveryDecision {
  const running = mostAdvanced(candidates.filter(({ isRunning }) => isRunning))
  const ahead = mostAdvanced(candidates)
  const safe = candidates.find(({ isMarkedSafe }) => isMarkedSafe)
  if (ahead === undefined) return refuse('no node has any data of the cluster')
  if (running !== undefined) {
    if (running.position >= ahead.position) {
      return {
        kind: 'promote',
        node: running.node,
        because: `of the nodes that run it is ${describePosition(running)}`,
      }
    }
    return refuse(
      `${ahead.node} is down and ahead of ${running.node}; first type: hactl resume ${ahead.node}`,
    )
  }
  if (safe !== undefined) {
    return { kind: 'bootstrap', node: safe.node, because: `it stopped last and is ${describePosition(safe)}` }
  }
  return { kind: 'bootstrap', node: ahead.node, because: `it is ${describePosition(ahead)}` }
}

// Of equals the first: what is the same on both is lost on neither.
function mostAdvanced(candidates: readonly Candidate[]): Candidate | undefined {
  return candidates.reduce<Candidate | undefined>(
    (best, one) => (best === undefined || one.position > best.position ? one : best),
    undefined,
  )
}

function describePosition({ position }: Candidate): string {
  return `the farthest of one history, at ${position}`
}

function nodesWith(candidates: readonly Candidate[], history: string): string {
  return candidates
    .filter((one) => one.history === history)
    .map(({ node }) => node)
    .join(' and ')
}

function refuse(because: string, node?: string): RecoveryDecision {
  const excuse = node === undefined ? '' : `; to go on without its data: --assume-lost ${node}`
  return { kind: 'refuse', because: `${because}${excuse}` }
}

/** What is known of a node with data when its cluster must be brought back. Positions count inside one history only. */
export type SourceState =
  /** It runs and has a majority. */
  | { readonly kind: 'primary'; readonly history: string; readonly position: number }
  /** It runs and has none. */
  | { readonly kind: 'without-majority'; readonly history: string; readonly position: number }
  | {
      readonly kind: 'down'
      /** Who the cluster was; null: the node never had its data. */
      readonly history: string | null
      /** How far the data are; null: nobody can say. */
      readonly position: number | null
      readonly from: 'grastate.dat' | 'wsrep-recover'
      /** Whether the node noted that it was the last one to stop. */
      readonly isMarkedSafe: boolean
      /** The members that it saw last, as it wrote them; null after a graceful stop. */
      readonly lastView: string | null
    }
  /** It is there and could not be asked. */
  | { readonly kind: 'unknown'; readonly because: string }

/** A node and what is known of it. */
export interface Evidence {
  readonly node: string
  readonly standing: SourceState
}

/** Where the data of a stopped node stand. */
interface Position {
  readonly history: string
  readonly position: number
}

/** What a stopped node wrote about its data. */
interface SavedState {
  readonly history: string | null
  /** Null after a crash: then only the data know. */
  readonly position: number | null
  readonly isMarkedSafe: boolean
}

const noHistory = '00000000-0000-0000-0000-000000000000'

/** Reads `grastate.dat`; a file that is not there says the same as that of a node without data. */
export function readSavedState(text: string): SavedState {
  const history = /^uuid:\s*([0-9a-f-]{36})\s*$/m.exec(text)?.[1] ?? noHistory
  const position = Number(/^seqno:\s*(-?\d+)\s*$/m.exec(text)?.[1] ?? -1)
  return {
    history: history === noHistory ? null : history,
    position: position >= 0 ? position : null,
    isMarkedSafe: /^safe_to_bootstrap:\s*1\s*$/m.test(text),
  }
}

/** The same file with another mark. */
export function setSafeToBootstrap(text: string, isSafe: boolean): string {
  return text.replace(/^safe_to_bootstrap:.*$/m, `safe_to_bootstrap: ${isSafe ? 1 : 0}`)
}

/**
 * Reads the position that `--wsrep-recover` printed: the last one counts. `uuid:position`, or the same with a GTID
 * after a comma. Undefined when none was printed: a server without Galera skips the question, which is no position.
 */
export function readRecoveredPosition(output: string): Position | undefined {
  const found = [...output.matchAll(/Recovered position:\s*([0-9a-f-]{36}):(-?\d+)/g)].at(-1)
  const [, history = noHistory, position = '-1'] = found ?? []
  return history === noHistory || Number(position) < 0 ? undefined : { history, position: Number(position) }
}

/** Reads `gvwstate.dat`: the view and its members, without the line that differs from node to node. */
export function readLastView(text: string): string | null {
  const view = /^#vwbeg$(.*)^#vwend$/ms.exec(text)?.[1]?.trim()
  return view === undefined || view === '' ? null : view
}

/** Reads what a running node said of itself; undefined when it said too little. */
export function readSourceState(output: string): SourceState | undefined {
  const told = pairs(output)
  const [status, history, position] = ['cluster_status', 'local_state_uuid', 'last_committed'].map((name) =>
    told.get(`wsrep_${name}`),
  )
  if (status === undefined || history === undefined || position === undefined) return undefined
  const kind = status === 'Primary' ? 'primary' : 'without-majority'
  return { kind, history, position: Number(position) }
}
