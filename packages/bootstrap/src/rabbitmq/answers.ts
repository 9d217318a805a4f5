import type { MemberView } from '../model/agreement.ts'

/** Reads what `erl_call` printed for the question about a member's view. */
export function readView(output: string): MemberView {
  const answer = /^\{ok, (.*)\}\s*$/s.exec(output.trim())?.[1]
  if (answer === undefined) return { kind: 'starting', because: `it answered ${firstLine(output)}` }
  if (answer === 'starting') return { kind: 'starting', because: 'its broker is not running' }
  const lists = [...answer.matchAll(/\[([^\]]*)\]/g)].map((match) => nodeNamesIn(match[1] ?? ''))
  const [members, running, apart] = lists
  if (members === undefined || running === undefined || apart === undefined) {
    return { kind: 'starting', because: `it answered ${firstLine(output)}` }
  }
  return { kind: 'answered', members, running, apart, history: null }
}

/** Reads what `erl_call` printed for the question about a leader; undefined when the member knows of none. */
export function readLeader(output: string): string | undefined {
  const answer = /^\{ok, (.*)\}\s*$/s.exec(output.trim())?.[1]?.replaceAll("'", '')
  return answer === undefined || !answer.includes('@') ? undefined : answer
}

/** Reads what `erl_call` printed for a restart of the broker: why it failed, undefined when it did not. */
export function repairRefusal(output: string): string | undefined {
  const isDone = /^\{ok, /.test(output.trim()) && !/\{error,|'EXIT'/.test(output)
  return isDone ? undefined : `it answered ${firstLine(output)}`
}

function nodeNamesIn(list: string): readonly string[] {
  return list
    .split(',')
    .map((name) => name.trim().replaceAll("'", ''))
    .filter((name) => name !== '')
}

function firstLine(output: string): string {
  return JSON.stringify(output.trim().split('\n')[0]?.slice(0, 120) ?? '')
}
