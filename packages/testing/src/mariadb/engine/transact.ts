import type { Statement } from '../sql/statement.ts'
import type { OkAnswer } from '../wire/answer.ts'
import { refusals } from './refusals.ts'
import { done, type Run } from './run.ts'
import { commit } from './work.ts'

type Transact = Extract<
  Statement,
  { readonly kind: 'begin' | 'commit' | 'rollback' | 'savepoint' | 'rollback-to' | 'release' }
>

/** Begins, ends and goes back in transactions. */
export async function transact(run: Run, statement: Transact): Promise<OkAnswer> {
  const { session } = run
  switch (statement.kind) {
    case 'begin':
      await commit(session)
      session.begin(statement.access)
      return done(run)
    case 'commit':
      await commit(session)
      return done(run)
    case 'rollback':
      session.rollback()
      return done(run)
    case 'savepoint':
      savepoint(run, statement.name)
      return done(run)
    case 'rollback-to':
      if (session.transaction?.rollbackTo(statement.name) !== true) throw refusals.noSavepoint(statement.name)
      return done(run)
    case 'release':
      if (session.transaction?.release(statement.name) !== true) throw refusals.noSavepoint(statement.name)
      return done(run)
  }
}

// Outside a transaction a savepoint is gone as soon as it is made.
function savepoint({ session }: Run, name: string): void {
  const transaction = session.transaction ?? (session.isAutocommit ? undefined : session.begin(undefined))
  transaction?.setSavepoint(name)
}
