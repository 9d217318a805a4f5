import type { CommitResult, KeeperServer, WriteSubmission } from '../protocol/server.ts'
import type { DataTree } from '../tree/data-tree.ts'
import { type ConnectRequest, type ConnectResponse, expiredSession } from '../wire/connect.ts'
import type { KeeperConnection } from './connection.ts'
import type { EnsembleNodeDeps } from './node-deps.ts'
import type { Replica } from './replica.ts'

/** What the server of a node needs. */
interface ServerDeps extends Pick<EnsembleNodeDeps, 'options' | 'consensus' | 'quorum'> {
  readonly number: number
  readonly replica: Replica
  readonly isServing: () => boolean
  /** A client of this session has sent something. */
  readonly touch: (session: bigint) => void
  /** The connections of its clients. */
  readonly connections: () => readonly Pick<KeeperConnection, 'connection' | 'session' | 'drop'>[]
}

/** The server of one node, as its connections use it. */
export function createServer(deps: ServerDeps): KeeperServer {
  const { number, consensus, quorum, replica, options } = deps
  return {
    tree: replica.tree,
    watches: replica.watches,
    get isServing() {
      return deps.isServing()
    },
    hasTtl: options.hasTtl,
    existsNeedsRead: options.existsNeedsRead,
    firstVersion: options.firstVersion,
    firstSequence: options.firstSequence,
    touch: deps.touch,
    isMoved: ({ session, connection }) => {
      const known = consensus.sessions.find(session)
      return quorum.leader === number && known !== undefined && known.connection !== connection
    },
    admit: (request, connection) => admit(deps, request, connection),
    submit: (submission) => submit(deps, submission),
    sync: async (session) => {
      // A leader answers a sync by itself, even while it is cut off.
      if (quorum.leader !== number && !(await consensus.waitForQuorum(number))) return false
      consensus.checkSession(session)
      await replica.applied(consensus.tree.lastZxid)
      return true
    },
    word: (word) =>
      answerWord(word, {
        mode: !deps.isServing() ? undefined : quorum.leader === number ? 'leader' : 'follower',
        connections: deps.connections().length,
        tree: replica.tree,
      }),
  }
}

async function admit(
  { number, consensus, replica, connections }: ServerDeps,
  request: ConnectRequest,
  connection: number,
): Promise<ConnectResponse | undefined> {
  const { sessionId, lastZxidSeen, timeoutMs, password } = request
  // A client that has seen a later transaction would go back in time on this node.
  if (lastZxidSeen > replica.tree.lastZxid) return undefined
  if (sessionId !== 0n) {
    const others = connections().filter(
      (other) => other.session === sessionId && other.connection !== connection,
    )
    for (const other of others) other.drop()
  }
  if (!(await consensus.waitForQuorum(number))) return undefined
  const at = { node: number, connection }
  if (sessionId === 0n) {
    const opened = consensus.openSession(timeoutMs, at)
    await replica.applied(consensus.tree.lastZxid)
    return { timeoutMs: opened.timeoutMs, sessionId: opened.id, password: opened.password }
  }
  const session = consensus.sessions.find(sessionId)
  if (session === undefined || !session.password.equals(password)) return expiredSession
  const taken = consensus.sessions.take(session, timeoutMs, at)
  return { timeoutMs: taken.timeoutMs, sessionId, password }
}

async function submit(
  { number, consensus, replica }: ServerDeps,
  submission: WriteSubmission,
): Promise<CommitResult | undefined> {
  if (!(await consensus.waitForQuorum(number))) return undefined
  const committed = consensus.decide(submission)
  await replica.applied(committed.zxid)
  return committed
}

/** What a node reports to a four-letter word. */
interface ServerStatus {
  /** Undefined without a quorum. */
  readonly mode: 'leader' | 'follower' | undefined
  readonly connections: number
  readonly tree: DataTree
}

/** The answer to a four-letter word. */
function answerWord(word: string, status: ServerStatus): string {
  switch (word) {
    case 'ruok':
      return 'imok'
    case 'srvr':
      return srvr(status)
    default:
      return `${word} is not executed because it is not in the whitelist.\n`
  }
}

function srvr({ mode, connections, tree }: ServerStatus): string {
  if (mode === undefined) return 'This ZooKeeper instance is not currently serving requests\n'
  return [
    'Zookeeper version: 3.8.0-fake, built on 2022-02-25 08:49 UTC',
    'Latency min/avg/max: 0/0.0/0',
    'Received: 0',
    'Sent: 0',
    `Connections: ${connections}`,
    'Outstanding: 0',
    `Zxid: 0x${tree.lastZxid.toString(16)}`,
    `Mode: ${mode}`,
    `Node count: ${tree.size}`,
    '',
  ].join('\n')
}
