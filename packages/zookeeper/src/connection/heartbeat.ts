import type { Clock } from '@ha/core'
import { timerGrainMs } from '@ha/core/driver'
import { sessionDenials } from '../protocol/error-codes.ts'
import type { Reply } from '../protocol/packets.ts'
import { opcodes, xids } from '../protocol/requests.ts'

/** When a connection last said and heard something, by the clock. */
export interface ConnectionActivity {
  /** When it last said what keeps the session alive, or certain. */
  readonly sentAtMs: number
  readonly receivedAtMs: number
  /** Whether the leader has to know of us all the time: something is held that is only good while that is certain. */
  readonly keepsLeaderContact: boolean
}

/** What to do at a look: say something, give the server up, or neither; and when to look again. */
type HeartbeatAction =
  | { readonly kind: 'unresponsive'; readonly quietMs: number }
  | { readonly kind: 'ping' | 'wait'; readonly againMs: number }

/** How long nothing may be sent: a server counts from what it last received. Half of it where that has to be certain. */
function pingAfterMs(timeoutMs: number, keepsLeaderContact = false): number {
  return timeoutMs / (keepsLeaderContact ? 6 : 3)
}

/** How long nothing may be heard: a third of the session is left to find another server. */
function unresponsiveAfterMs(timeoutMs: number): number {
  return (timeoutMs * 2) / 3
}

// A look that is so late was late because we stood still: what the server sent may lie in the socket unread.
function lateTimerMs(timeoutMs: number): number {
  return timeoutMs / 30
}

/** Decides what a look sees. `dueAtMs` is when it was meant to be. */
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
  /** What the server granted, in milliseconds. */
  readonly timeoutMs: number
  readonly ping: () => void
  readonly unresponsive: (quietMs: number) => void
}

/** What keeps a session alive. */
export interface Heartbeat {
  /** Looks again at once. */
  checkNow(): void
  stop(): void
}

/** Keeps a session alive while nothing is sent, and gives up a server that says nothing. */
export function startHeartbeat({ clock, activity, timeoutMs, ping, unresponsive }: HeartbeatDeps): Heartbeat {
  let cancel = (): void => undefined
  const lookIn = (ms: number): void => {
    const dueAtMs = clock.now() + ms
    cancel = clock.after(ms, () => act(nextAction(activity(), timeoutMs, dueAtMs, clock.now())))
  }
  const act = (seen: HeartbeatAction): void => {
    if (seen.kind === 'unresponsive') {
      unresponsive(seen.quietMs)
      return
    }
    lookIn(seen.againMs)
    // Last: it may end the connection, which stops what was just set.
    if (seen.kind === 'ping') ping()
  }
  lookIn(pingAfterMs(timeoutMs, activity().keepsLeaderContact))
  return {
    checkNow: () => {
      cancel()
      lookIn(0)
    },
    stop: () => cancel(),
  }
}

// How many send times are remembered for each timeout.
const requestsPerTimeout = 12

// A follower tells the leader of its sessions with its answer to the leader's ping, every half tick; and servers grant
// no session of less than two ticks, unless they are configured to (`minSessionTimeout`): then this is too little.
const handOverShare = 4

/**
 * Until when the leader must have heard of us. The leader alone ends sessions, and a follower answers pings and reads
 * by itself, also for a while after it has been cut off from the leader. What it had got from us half a tick before it
 * got a word from the leader, it had handed over by then.
 */
export class LeaderContact {
  readonly #timeoutMs: number
  // Requests that were answered, the oldest first, and not too close to each other.
  readonly #answered: AnsweredRequest[] = []
  #contactAtMs: number

  /** The handshake is the leader's own word. */
  constructor(askedAtMs: number, timeoutMs: number) {
    this.#contactAtMs = askedAtMs
    this.#timeoutMs = timeoutMs
  }

  /** When the latest request was sent of which the leader must have known. */
  get contactAtMs(): number {
    return this.#contactAtMs
  }

  /** A request that was sent then is answered now; `byLeader`, when no server answers it so without the leader. */
  responseReceived({ sentAtMs, answeredAtMs }: AnsweredRequest, byLeader: boolean): void {
    if (byLeader) this.#prove(sentAtMs - this.#timeoutMs / handOverShare)
    const last = this.#answered.at(-1)?.sentAtMs ?? this.#contactAtMs
    if (sentAtMs - last < this.#timeoutMs / requestsPerTimeout) return
    this.#answered.push({ sentAtMs, answeredAtMs })
    // Answers without the leader's word, for longer than the session lives: none of them will ever count.
    if (this.#answered.length > 2 * requestsPerTimeout) this.#answered.shift()
  }

  #prove(handedOverMs: number): void {
    // The server had it at the latest when it answered; when it was sent says nothing of that.
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

/** One request that was answered, by the clock. */
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

/** True of a request that no server answers without the leader, unless it turns it away. */
export function isLeaderRequest(opcode: number): boolean {
  return leaderOpcodes.has(opcode)
}

// What the leader says of nodes; any other no may be the server's own, as that it is overloaded.
const leaderErrorCodes: ReadonlySet<number> = new Set([-101, -102, -103, -108, -110, -111, -114])

/** True of an answer that only the leader can have given. */
export function isLeaderResponse(opcode: number, err: number): boolean {
  return isLeaderRequest(opcode) && (err === 0 || leaderErrorCodes.has(err))
}

/**
 * True of an answer by which a server says that it knows our session. A login does not touch it (seen in the servers'
 * code), and who denies the session does not confirm it.
 */
export function confirmsSession({ xid, err }: Pick<Reply, 'xid' | 'err'>): boolean {
  return xid !== xids.auth && !sessionDenials.includes(err)
}
