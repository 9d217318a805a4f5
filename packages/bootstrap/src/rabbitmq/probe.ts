import { runCommand } from '../machine/run-command.ts'
import type { MemberView } from '../model/membership.ts'
import type { LabPlan } from '../model/plan.ts'

// Erlang expressions that `erl_call -e` evaluates in a node; the white space after the dot ends them. The functions
// exist in versions 3.10 to 4.3.

/** Asks a member for its view of the cluster. */
export const viewExpression: string = [
  'case rabbit:is_running() of',
  ' true -> {view, lists:sort(rabbit_nodes:all()), lists:sort(rabbit_nodes:all_running()),',
  // From 4.3 on no member records partitions, and the function is gone.
  '  case catch rabbit_node_monitor:partitions() of Apart when is_list(Apart) -> lists:sort(Apart); _ -> [] end,',
  '  lists:usort([Source || {{resource_limit, Source, _}, _} <- rabbit_alarm:get_alarms()])};',
  ' false -> starting',
  ' end.\n',
].join('')

/** Restarts the broker inside a node that keeps running, as `stop_app` and `start_app` do. */
export const restartExpression = '{rabbit:stop(), rabbit:start()}.\n'

/**
 * Asks a member for the leader of a queue: the leader known to the local replica of a quorum queue, else the node of
 * the process that the queue is registered with.
 */
export function leaderExpression(vhost: string, queue: string): string {
  return [
    `case rabbit_amqqueue:lookup(rabbit_misc:r(${binaryLiteral(vhost)}, queue, ${binaryLiteral(queue)})) of`,
    ' {ok, Q} -> case amqqueue:get_pid(Q) of',
    '  {Name, Recorded} -> case ra_leaderboard:lookup_leader(Name) of {_, Heard} -> Heard; _ -> Recorded end;',
    '  Pid when is_pid(Pid) -> node(Pid);',
    '  _ -> none end;',
    ' _ -> none end.\n',
  ].join('')
}

// Bytes instead of quotes: no name can end the literal and inject code.
function binaryLiteral(text: string): string {
  return `<<${[...Buffer.from(text, 'utf8')].join(',')}>>`
}

/** Reads the output of `erl_call` for {@link viewExpression}. */
export function readView(output: string): MemberView {
  const answer = /^\{ok, (.*)\}\s*$/s.exec(output.trim())?.[1]
  if (answer === undefined) return { kind: 'starting', because: `it answered ${firstLine(output)}` }
  if (answer === 'starting') return { kind: 'starting', because: 'its broker is not running' }
  const lists = [...answer.matchAll(/\[([^\]]*)\]/g)].map((match) => nodeNamesIn(match[1] ?? ''))
  const [members, running, apart, alarms = []] = lists
  if (members === undefined || running === undefined || apart === undefined) {
    return { kind: 'starting', because: `it answered ${firstLine(output)}` }
  }
  const view = { kind: 'answered', members, running, apart, history: null } as const
  return alarms.length === 0 ? view : { ...view, alarms }
}

/** Reads the output of `erl_call` for {@link leaderExpression}; undefined when the member knows no leader. */
export function readLeader(output: string): string | undefined {
  const answer = /^\{ok, (.*)\}\s*$/s.exec(output.trim())?.[1]?.replaceAll("'", '')
  return answer === undefined || !answer.includes('@') ? undefined : answer
}

/** Reads the output of `erl_call` for {@link restartExpression}: why it failed, undefined when it succeeded. */
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

const answerTimeoutMs = 1500

/** Asks every member for the leader of a queue; the majority decides, and of equals the first in the plan. */
export async function findLeader(plan: LabPlan, vhost: string, queue: string): Promise<string | undefined> {
  const stdin = leaderExpression(vhost, queue)
  const votes = await Promise.all(
    plan.nodes.map(async ({ ask }) => {
      if (ask === null) return undefined
      const { status, stdout } = await runCommand({ ...ask, stdin }, { timeoutMs: answerTimeoutMs })
      return status === 0 ? readLeader(stdout) : undefined
    }),
  )
  const member = majorityVote(votes)
  return plan.nodes.find((node) => node.member === member)?.name
}

/** The name with the most votes; of equals the first. */
export function majorityVote(votes: readonly (string | undefined)[]): string | undefined {
  const counts = new Map<string, number>()
  for (const vote of votes) {
    if (vote !== undefined) counts.set(vote, (counts.get(vote) ?? 0) + 1)
  }
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0]
}
