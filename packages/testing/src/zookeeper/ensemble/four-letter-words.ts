import type { Tree } from '../tree/tree.ts'

/** How a node stands, for those who ask. */
export interface Standing {
  /** Undefined without a quorum. */
  readonly mode: 'leader' | 'follower' | undefined
  readonly connections: number
  readonly tree: Tree
}

/** What a node says of itself to a word of four letters. */
export function answerTo(word: string, standing: Standing): string {
  switch (word) {
    case 'ruok':
      return 'imok'
    case 'srvr':
      return srvr(standing)
    default:
      return `${word} is not executed because it is not in the whitelist.\n`
  }
}

function srvr({ mode, connections, tree }: Standing): string {
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
