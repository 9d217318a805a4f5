/**
 * How a client stands to its ensemble, in Curator’s words. `connected` is the first connection and `reconnected` each
 * later one; `suspended`: the connection is lost and the session may still live; `lost`: the session is over, or may be.
 */
export type ZookeeperState =
  | 'connecting'
  | 'connected'
  | 'suspended'
  | 'lost'
  | 'reconnected'
  | 'read-only'
  | 'closed'

/** What a state follows from. */
export interface StateFacts {
  readonly isClosed: boolean
  /** Operations run at this moment. */
  readonly isReady: boolean
  /** The server only answers reads. */
  readonly isReadOnly: boolean
  /** There is a session that is not over for us. */
  readonly hasSession: boolean
}

/** The state that follows on another one. */
export function stateAfter(before: ZookeeperState, facts: StateFacts): ZookeeperState {
  if (before === 'closed' || facts.isClosed) return 'closed'
  if (facts.isReady) return readyAfter(before, facts)
  if (before === 'connecting') return 'connecting'
  // A new session that nothing runs in yet is no reason for hope.
  return before === 'lost' || !facts.hasSession ? 'lost' : 'suspended'
}

function readyAfter(before: ZookeeperState, { isReadOnly }: StateFacts): ZookeeperState {
  if (isReadOnly) return 'read-only'
  return before === 'connecting' || before === 'connected' ? 'connected' : 'reconnected'
}
