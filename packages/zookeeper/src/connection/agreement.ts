import type { Reply } from '../driver/envelope.ts'
import { opcodes } from '../driver/opcodes.ts'
import { sessionDenials } from '../driver/reply-codes.ts'
import { xids } from '../driver/request.ts'

// How many send times are remembered for each timeout.
const marksPerTimeout = 12

// A follower tells the leader of its sessions with its answer to the leader's ping, every half tick; and servers grant
// no session of less than two ticks, unless they are configured to (`minSessionTimeout`): then this is too little.
const handOverShare = 4

/**
 * Until when the leader must have heard of us. The leader alone ends sessions, and a follower answers pings and reads
 * by itself, also for a while after it has been cut off from the leader. What it had got from us half a tick before it
 * got a word from the leader, it had handed over by then.
 */
export class Agreement {
  readonly #timeoutMs: number
  // Requests that were answered, the oldest first, and not too close to each other.
  readonly #marks: Mark[] = []
  #agreedAtMs: number

  /** The handshake is the leader's own word. */
  constructor(askedAtMs: number, timeoutMs: number) {
    this.#agreedAtMs = askedAtMs
    this.#timeoutMs = timeoutMs
  }

  /** When the latest request was sent of which the leader must have known. */
  get agreedAtMs(): number {
    return this.#agreedAtMs
  }

  /** A request that was sent then is answered now; `byLeader`, when no server answers it so without the leader. */
  answered({ sentAtMs, answeredAtMs }: Mark, byLeader: boolean): void {
    if (byLeader) this.#prove(sentAtMs - this.#timeoutMs / handOverShare)
    const last = this.#marks.at(-1)?.sentAtMs ?? this.#agreedAtMs
    if (sentAtMs - last < this.#timeoutMs / marksPerTimeout) return
    this.#marks.push({ sentAtMs, answeredAtMs })
    // Answers without the leader's word, for longer than the session lives: none of them will ever count.
    if (this.#marks.length > 2 * marksPerTimeout) this.#marks.shift()
  }

  #prove(handedOverMs: number): void {
    // The server had it at the latest when it answered; when it was sent says nothing of that.
    for (
      let first = this.#marks[0];
      first !== undefined && first.answeredAtMs <= handedOverMs;
      first = this.#marks[0]
    ) {
      this.#agreedAtMs = first.sentAtMs
      this.#marks.shift()
    }
  }
}

/** One request that was answered, by the clock. */
interface Mark {
  readonly sentAtMs: number
  readonly answeredAtMs: number
}

const ofTheLeader: ReadonlySet<number> = new Set([
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
export function asksLeader(opcode: number): boolean {
  return ofTheLeader.has(opcode)
}

// What the leader says of nodes; any other no may be the server's own, as that it is overloaded.
const leadersNoes: ReadonlySet<number> = new Set([-101, -102, -103, -108, -110, -111, -114])

/** True of an answer that only the leader can have given. */
export function isLeaders(opcode: number, err: number): boolean {
  return asksLeader(opcode) && (err === 0 || leadersNoes.has(err))
}

/**
 * True of an answer by which a server says that it knows our session. A login does not touch it (seen in the servers'
 * code), and who denies the session does not confirm it.
 */
export function confirms({ xid, err }: Pick<Reply, 'xid' | 'err'>): boolean {
  return xid !== xids.auth && !sessionDenials.includes(err)
}
