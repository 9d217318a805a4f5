import type { MemberView } from '../model/membership.ts'
import type { PlannedCommand } from '../model/plan.ts'
import { environment } from './config.ts'
import type { ZookeeperDeployment, ZookeeperNode } from './model.ts'

// Bash supports TCP itself, so no program has to be installed. `cat` replaces the shell, so that ending the command at
// its deadline ends all of it: a frozen server accepts the word and never answers.
const sendWordScript = 'exec 3<>"/dev/tcp/$1/$2" && printf %s "$3" >&3 && exec cat <&3'

/** Sends a four-letter word to a server and prints the answer. Without a word, the caller appends one. */
export function fourLetterWord(
  deployment: ZookeeperDeployment,
  { host, clientPort }: ZookeeperNode,
  words: readonly string[],
): PlannedCommand {
  return {
    argv: ['bash', '-c', sendWordScript, 'four-letter-word', host, String(clientPort), ...words],
    env: environment(deployment),
    stdin: '',
  }
}

/** The name of the server with this number in views. */
export function memberName(id: number): string {
  return `server.${id}`
}

/** Reads the answer to `mntr`: one metric in each line, name and value separated by a tab. */
export function readView(output: string): MemberView {
  const values = new Map(output.split('\n').map((line) => line.split('\t') as [string, string | undefined]))
  switch (values.get('zk_server_state')) {
    case 'leader':
      return leaderView(Number(values.get('zk_quorum_size')), Number(values.get('zk_synced_followers')))
    case 'follower':
      return { kind: 'vouched', role: 'follower', history: null }
    case 'standalone':
      return { kind: 'vouched', role: 'standalone', history: null }
    default:
      return { kind: 'starting', because: 'it has no leader' }
  }
}

// Followers know only their leader, and the leader knows how many followers are synchronized. A server follows one
// leader only: a leader that counts all others is the only one. The epoch in the zxid that `srvr` reports is not
// comparable: of three servers of 3.8.0 that agreed, one showed 0x0 and the others 0x100000000.
function leaderView(size: number, synced: number): MemberView {
  if (synced < size - 1) {
    const because = `it leads, and ${synced} of its ${size - 1} followers are synchronized`
    return { kind: 'starting', role: 'leader', because }
  }
  const members = Array.from({ length: size }, (_, i) => memberName(i + 1)).sort()
  return { kind: 'answered', role: 'leader', members, running: members, apart: [], history: null }
}
