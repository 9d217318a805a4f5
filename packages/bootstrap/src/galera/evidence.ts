import { pairs } from '../mariadb/rows.ts'

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
export interface Position {
  readonly history: string
  readonly position: number
}

/** What a stopped node wrote about its data. */
export interface SavedState {
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
