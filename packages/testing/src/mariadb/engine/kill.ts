import type { Statement } from '../sql/statement.ts'
import type { Answer } from '../wire/answer.ts'
import { evaluate } from './evaluate.ts'
import { refusals } from './refusals.ts'
import { done, type Run } from './run.ts'
import { scopeOf } from './statement-scope.ts'

/** Ends what another session does, or the session itself. */
export function kill(run: Run, { what, id }: Extract<Statement, { kind: 'kill' }>): Answer {
  const wanted = Number(evaluate(id, scopeOf(run)))
  const victim = [...run.session.server.sessions].find((session) => session.id === wanted)
  if (victim === undefined) throw refusals.noSuchThread(wanted)
  if (what === 'query') victim.interrupt(refusals.interrupted())
  else victim.kill()
  return done(run)
}
