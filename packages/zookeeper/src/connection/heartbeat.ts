import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '@ha/core'
import { timerGrainMs } from '@ha/core/driver'
import { sessionErrorCodes } from '../protocol/error-codes.ts'
import type { Reply } from '../protocol/packets.ts'
import { opcodes, xids } from '../protocol/requests.ts'

/** The activity of a connection, by the clock. */
export interface ConnectionActivity {
  /** When the latest packet was sent that keeps the session alive, or certain. */
  readonly sentAtMs: number
  readonly receivedAtMs: number
  /** Whether the leader must be contacted regularly, because a lease depends on the certainty of the session. */
  readonly keepsLeaderContact: boolean
}

/** What to do at a check, and when to check again. */
type HeartbeatAction =
  | { readonly kind: 'unresponsive'; readonly quietMs: number }
  | { readonly kind: 'ping' | 'wait'; readonly againMs: number }

/**
 * The longest time without a packet of the client: a third of the timeout, by which the server counts; half of that
 * when the session must stay certain.
 */
function pingAfterMs(timeoutMs: number, keepsLeaderContact = false): number {
  return timeoutMs / (keepsLeaderContact ? 6 : 3)
}

/** The longest time without a packet of the server. The last third of the session is for finding another server. */
function unresponsiveAfterMs(timeoutMs: number): number {
  return (timeoutMs * 2) / 3
}

// A check that is so late was delayed because the process was suspended: replies may lie unread in the socket.
function lateTimerMs(timeoutMs: number): number {
  return timeoutMs / 30
}

/** Decides what to do at a check that was due at `dueAtMs`. */
export function nextAction(
  { sentAtMs, receivedAtMs, keepsLeaderContact }: ConnectionActivity,
  timeoutMs: number,
  dueAtMs: number,
  nowMs: number,
): HeartbeatAction {
  const isLate = nowMs - dueAtMs > lateTimerMs(timeoutMs)
  const quietMs = nowMs - receivedAtMs
  const unresponsiveInMs = isLate ? lateTimerMs(timeoutMs) : unresponsiveAfterMs(timeoutMs) - quietMs
  if (unresponsiveInMs < timerGrainMs) return { kind: 'unresponsive', quietMs }
  const everyMs = pingAfterMs(timeoutMs, keepsLeaderContact)
  const pingInMs = everyMs - (nowMs - sentAtMs)
  return pingInMs < timerGrainMs
    ? { kind: 'ping', againMs: Math.min(unresponsiveInMs, everyMs) }
    : { kind: 'wait', againMs: Math.min(unresponsiveInMs, pingInMs) }
}

interface HeartbeatDeps {
  readonly clock: Clock
  readonly activity: () => ConnectionActivity
  /** The granted timeout in milliseconds. */
  readonly timeoutMs: number
  readonly ping: () => void
  readonly unresponsive: (quietMs: number) => void
}

/** Keeps a session alive. */
export interface Heartbeat {
  /** Checks again at once. */
  checkNow(): void
  stop(): void
}

/**
 * Sends pings while nothing else is sent, and gives up a silent server. The liveness of the link has the same
 * threshold, but counts only active time, from the requested timeout, and not before the link is ready: this check
 * holds for the granted timeout and for every connection.
 */
export function startHeartbeat({ clock, activity, timeoutMs, ping, unresponsive }: HeartbeatDeps): Heartbeat {
  // Each check schedules the next one: the lock that asks for one now must not keep its context in all later ones.
  const inOwnContext = AsyncLocalStorage.snapshot()
  let cancel = (): void => undefined
  const checkIn = (ms: number): void => {
    const dueAtMs = clock.now() + ms
    const check = (): void => act(nextAction(activity(), timeoutMs, dueAtMs, clock.now()))
    cancel = inOwnContext(() => clock.after(ms, check))
  }
  const act = (action: HeartbeatAction): void => {
    if (action.kind === 'unresponsive') {
      unresponsive(action.quietMs)
      return
    }
    checkIn(action.againMs)
    // Last: a ping may end the connection, which cancels the timer that was just set.
    if (action.kind === 'ping') ping()
  }
  checkIn(pingAfterMs(timeoutMs, activity().keepsLeaderContact))
  return {
    checkNow: () => {
      cancel()
      checkIn(0)
    },
    stop: () => cancel(),
  }
}

// How many answered requests are remembered for each session timeout.
const requestsPerTimeout = 12

// A follower reports its sessions to the leader with its reply to the leader's ping, every half tick. Servers grant no
// session shorter than two ticks, unless `minSessionTimeout` allows it: then a quarter is too little.
const handOverShare = 4

/**
 * Until when the leader must have known of the session. Only the leader ends sessions, and a follower answers pings and
 * reads by itself, also for a while after it was partitioned from the leader. What a follower received half a tick
 * before it had a reply of the leader, it had reported by then.
 */
export class LeaderContact {
  readonly #timeoutMs: number
  // Answered requests, the oldest first, with a minimum distance.
  readonly #answered: AnsweredRequest[] = []
  #contactAtMs: number

  /** The handshake is confirmed by the leader. */
  constructor(askedAtMs: number, timeoutMs: number) {
    this.#contactAtMs = askedAtMs
    this.#timeoutMs = timeoutMs
  }

  /** When the latest request was sent of which the leader must have known. */
  get contactAtMs(): number {
    return this.#contactAtMs
  }

  /** A request was answered; `byLeader`: no server gives this reply without the leader. */
  responseReceived({ sentAtMs, answeredAtMs }: AnsweredRequest, byLeader: boolean): void {
    if (byLeader) this.#prove(sentAtMs - this.#timeoutMs / handOverShare)
    const last = this.#answered.at(-1)?.sentAtMs ?? this.#contactAtMs
    if (sentAtMs - last < this.#timeoutMs / requestsPerTimeout) return
    this.#answered.push({ sentAtMs, answeredAtMs })
    // Replies without the leader, for longer than the session lives: the oldest will never count.
    if (this.#answered.length > 2 * requestsPerTimeout) this.#answered.shift()
  }

  #prove(handedOverMs: number): void {
    // The server had the request when it answered it; the time of sending says less.
    for (
      let first = this.#answered[0];
      first !== undefined && first.answeredAtMs <= handedOverMs;
      first = this.#answered[0]
    ) {
      this.#contactAtMs = first.sentAtMs
      this.#answered.shift()
    }
  }
}

/** An answered request, by the clock. */
interface AnsweredRequest {
  readonly sentAtMs: number
  readonly answeredAtMs: number
}

const leaderOpcodes: ReadonlySet<number> = new Set([
  opcodes.sync,
  opcodes.create2,
  opcodes.createContainer,
  opcodes.createTtl,
  opcodes.delete,
  opcodes.setData,
  opcodes.setAcl,
  opcodes.multi,
])

/** Whether no server executes the request without the leader. */
export function isLeaderRequest(opcode: number): boolean {
  return leaderOpcodes.has(opcode)
}

// Errors that the leader reports about nodes; any other error may be the server's own, such as an overload.
const leaderErrorCodes: ReadonlySet<number> = new Set([-101, -102, -103, -108, -110, -111, -114])

/** Whether only the leader can have given this reply. */
export function isLeaderResponse(opcode: number, err: number): boolean {
  return isLeaderRequest(opcode) && (err === 0 || leaderErrorCodes.has(err))
}

/**
 * Whether a reply confirms the session. Adding credentials does not touch it (seen in the servers' code), and an error
 * that denies the session does not confirm it.
 */
export function confirmsSession({ xid, err }: Pick<Reply, 'xid' | 'err'>): boolean {
  return xid !== xids.auth && !sessionErrorCodes.includes(err)
}
