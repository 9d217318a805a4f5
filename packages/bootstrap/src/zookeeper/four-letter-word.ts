import type { Command } from '../model/plan.ts'
import { environment } from './environment.ts'
import type { ZookeeperNode } from './model.ts'
import type { ZookeeperDeployment } from './place.ts'

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
