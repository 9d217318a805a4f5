/** How a replica notices that its primary is gone, in the seconds that the server takes. */
export interface ReplicationTimers {
  /** The silence after which a replica dials its primary again. */
  readonly netTimeoutS: number
  /** The primary sends a sign of life after as much time without a write. */
  readonly heartbeatS: number
  /** How long a replica waits before it dials again. */
  readonly retryS: number
}

// MASTER_CONNECT_RETRY is 60 s by default: a primary that was restarted would stay without replicas for a minute.
const retryS = 1

/** The timers that fit a promise: the server's own 60 s and half of it when nothing was promised. */
export function replicationTimers(detectMs: number | null): ReplicationTimers {
  if (detectMs === null) return { netTimeoutS: 60, heartbeatS: 30, retryS }
  const netTimeoutS = Math.ceil(detectMs / 1000)
  return { netTimeoutS, heartbeatS: Math.min(detectMs / 1000, netTimeoutS) / 2, retryS }
}
