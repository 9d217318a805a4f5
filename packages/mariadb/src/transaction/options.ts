import { didYouMean } from '@ha/core/driver'
import { type Call, type CallOptions, resolveCall, unrepeated } from '../call-options.ts'
import { MariadbError } from '../mariadb-error.ts'
import type { Isolation } from '../options/resolved.ts'

/** What `transaction()` and `readOnly()` take. */
export interface TransactionOptions extends Omit<CallOptions, 'repeatable'> {
  /** Of this transaction alone. Default: that of the session. */
  readonly isolation?: Isolation
  /**
   * Names this piece of work in the ledger, 64 ASCII characters at most, so that after a crash `resolve(token)` says
   * what became of it, and the same token never commits twice. Default: one of its own for each run.
   */
  readonly token?: string
}

export interface TransactionCall {
  readonly call: Call
  readonly isolation: Isolation | undefined
  readonly token: string | undefined
}

const isolations: readonly Isolation[] = [
  'read-uncommitted',
  'read-committed',
  'repeatable-read',
  'serializable',
]

/** Checks the options of a transaction. */
export function resolveTransaction(
  name: string,
  given: TransactionOptions | undefined,
  defaults: Call,
): TransactionCall {
  const { isolation, token, ...call } = given ?? {}
  if (isolation !== undefined && !isolations.includes(isolation)) {
    const hint = didYouMean(String(isolation), isolations)
    throw new MariadbError(
      'config-invalid',
      `${name}.isolation: expected one of ${isolations.join(', ')}${hint}`,
    )
  }
  if (token !== undefined) checkToken(token, `${name}.token`)
  return { call: resolveCall(name, call, defaults, unrepeated), isolation, token }
}

/** Refuses what cannot name a row of the ledger; returns it as it is. */
export function checkToken(token: unknown, path: string): string {
  if (typeof token === 'string' && /^[\x21-\x7e]{1,64}$/.test(token)) return token
  throw new MariadbError(
    'config-invalid',
    `${path}: expected 1 to 64 printable ASCII characters without blanks`,
  )
}
