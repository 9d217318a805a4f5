/**
 * How a client stands to its ensemble, in Curator’s words. `connected` is the first connection and `reconnected` each
 * later one; `suspended`: the connection is lost and the session may still live; `lost`: the session is over, or may be.
 */
export type ZookeeperState = 'connecting' | 'connected' | 'suspended' | 'lost' | 'reconnected' | 'closed'

/** What a state follows from. */
export interface StateFacts {
  readonly isClosed: boolean
  /** Operations run at this moment. */
  readonly isReady: boolean
  /** There is a session that is not over for us. */
  readonly hasSession: boolean
}

/** The state that follows on another one. */
export function stateAfter(before: ZookeeperState, facts: StateFacts): ZookeeperState {
  if (before === 'closed' || facts.isClosed) return 'closed'
  if (facts.isReady) return before === 'connecting' || before === 'connected' ? 'connected' : 'reconnected'
  if (before === 'connecting') return 'connecting'
  // A new session that nothing runs in yet is no reason for hope.
  return before === 'lost' || !facts.hasSession ? 'lost' : 'suspended'
}
