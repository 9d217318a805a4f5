import { runCommand } from '../machine/run-command.ts'
import type { Plan } from '../model/plan.ts'
import { readLeader } from './answers.ts'
import { leaderExpression } from './questions.ts'

const answerTimeoutMs = 1500

/** Asks every member who leads a queue; most voices win, and of equals the first in the plan. */
export async function findLeader(plan: Plan, vhost: string, queue: string): Promise<string | undefined> {
  const stdin = leaderExpression(vhost, queue)
  const voices = await Promise.all(
    plan.nodes.map(async ({ ask }) => {
      if (ask === null) return undefined
      const { status, stdout } = await runCommand({ ...ask, stdin }, { timeoutMs: answerTimeoutMs })
      return status === 0 ? readLeader(stdout) : undefined
    }),
  )
  const member = majorityVote(voices)
  return plan.nodes.find((node) => node.member === member)?.name
}

/** The name that most voices say; of equals the one said first. */
export function majorityVote(voices: readonly (string | undefined)[]): string | undefined {
  const counts = new Map<string, number>()
  for (const voice of voices) {
    if (voice !== undefined) counts.set(voice, (counts.get(voice) ?? 0) + 1)
  }
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0]
}
