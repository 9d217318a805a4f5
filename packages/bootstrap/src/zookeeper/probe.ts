import type { MemberView } from '../model/membership.ts'
import type { Command } from '../model/plan.ts'
import { environment } from './config.ts'
import type { ZookeeperDeployment, ZookeeperNode } from './model.ts'

// Bash speaks TCP by itself, so nothing has to be installed. `cat` takes its place: whoever ends the command at its
// deadline ends all of it, since a frozen server takes the word and never answers.
const sendWordScript = 'exec 3<>"/dev/tcp/$1/$2" && printf %s "$3" >&3 && exec cat <&3'

/** Says a four-letter word to a server and prints what it answers. Where none is given, one is to be added. */
export function fourLetterWord(
  deployment: ZookeeperDeployment,
  { host, clientPort }: ZookeeperNode,
  words: readonly string[],
): Command {
  return {
    argv: ['bash', '-c', sendWordScript, 'four-letter-word', host, String(clientPort), ...words],
    env: environment(deployment),
    stdin: '',
  }
}

/** The name that a view has for the server with this number. */
export function memberName(id: number): string {
  return `server.${id}`
}

/** Reads what a server answered to `mntr`: one metric a line, name and value parted by a tab. */
export function readView(output: string): MemberView {
  const told = new Map(output.split('\n').map((line) => line.split('\t') as [string, string | undefined]))
  switch (told.get('zk_server_state')) {
    case 'leader':
      return leaderView(Number(told.get('zk_quorum_size')), Number(told.get('zk_synced_followers')))
    case 'follower':
      return { kind: 'vouched', role: 'follower', history: null }
    case 'standalone':
      return { kind: 'vouched', role: 'standalone', history: null }
    default:
      return { kind: 'starting', because: 'it has no leader' }
  }
}

// Followers know nobody but their leader, and the leader knows how many keep up with it. A server follows one leader
// only: when a leader counts all others, it is the only one. The epoch in what `srvr` calls their zxid is no common
// word: of three servers of 3.8.0 that agreed, one showed 0x0 and the others 0x100000000.
function leaderView(size: number, synced: number): MemberView {
  if (synced < size - 1) {
    const because = `it leads, and ${synced} of its ${size - 1} followers keep up with it`
    return { kind: 'starting', role: 'leader', because }
  }
  const members = Array.from({ length: size }, (_, i) => memberName(i + 1)).sort()
  return { kind: 'answered', role: 'leader', members, running: members, apart: [], history: null }
}
