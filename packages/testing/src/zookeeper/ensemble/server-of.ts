import type { Committed, Server, Submission } from '../conversation/server.ts'
import { type ConnectRequest, type Granted, overGrant } from '../wire/connect.ts'
import { answerTo } from './four-letter-words.ts'
import type { Line } from './line.ts'
import type { NodeEnds } from './node-ends.ts'
import type { Replica } from './replica.ts'

/** What the server of a node stands on. */
export interface ServerParts extends Pick<NodeEnds, 'options' | 'agreement' | 'quorum'> {
  readonly number: number
  readonly replica: Replica
  readonly isServing: () => boolean
  /** A client of a session was heard. */
  readonly touch: (session: bigint) => void
  /** The connections of its clients. */
  readonly lines: () => readonly Pick<Line, 'connection' | 'session' | 'drop'>[]
}

/** What a node does for those who are connected to it. */
export function serverOf(parts: ServerParts): Server {
  const { number, agreement, quorum, replica, options } = parts
  return {
    tree: replica.tree,
    watches: replica.watches,
    get isServing() {
      return parts.isServing()
    },
    hasTtl: options.hasTtl,
    touch: parts.touch,
    isMoved: ({ session, connection }) => {
      const known = agreement.sessions.find(session)
      return quorum.leader === number && known !== undefined && known.connection !== connection
    },
    admit: (request, connection) => admit(parts, request, connection),
    submit: (submission) => submit(parts, submission),
    sync: async (whose) => {
      // A leader asks nobody, even while nobody hears it.
      if (quorum.leader !== number && !(await agreement.turn(number))) return false
      agreement.checkSession(whose)
      await replica.applied(agreement.tree.lastZxid)
      return true
    },
    word: (word) =>
      answerTo(word, {
        mode: !parts.isServing() ? undefined : quorum.leader === number ? 'leader' : 'follower',
        connections: parts.lines().length,
        tree: replica.tree,
      }),
  }
}

async function admit(
  { number, agreement, replica, lines }: ServerParts,
  request: ConnectRequest,
  connection: number,
): Promise<Granted | undefined> {
  const { sessionId, lastZxidSeen, timeoutMs, password } = request
  // Whoever has seen more than this node would go back in time here.
  if (lastZxidSeen > replica.tree.lastZxid) return undefined
  if (sessionId !== 0n) {
    const others = lines().filter((line) => line.session === sessionId && line.connection !== connection)
    for (const line of others) line.drop()
  }
  if (!(await agreement.turn(number))) return undefined
  const at = { node: number, connection }
  if (sessionId === 0n) {
    const opened = agreement.openSession(timeoutMs, at)
    await replica.applied(agreement.tree.lastZxid)
    return { timeoutMs: opened.timeoutMs, sessionId: opened.id, password: opened.password }
  }
  const session = agreement.sessions.find(sessionId)
  if (session === undefined || !session.password.equals(password)) return overGrant
  const taken = agreement.sessions.take(session, timeoutMs, at)
  return { timeoutMs: taken.timeoutMs, sessionId, password }
}

async function submit(
  { number, agreement, replica }: ServerParts,
  submission: Submission,
): Promise<Committed | undefined> {
  if (!(await agreement.turn(number))) return undefined
  const committed = agreement.decide(submission)
  await replica.applied(committed.zxid)
  return committed
}
