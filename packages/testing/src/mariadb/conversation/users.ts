import { serverError } from '../engine/errors.ts'
import { isProof, type LogIn } from '../wire/log-in.ts'

/** Who may log in: their passwords by their names. */
export type Users = Readonly<Record<string, string>>

/** Refuses a user who is not known, or whose proof is not that of the password. */
export function checkLogIn(users: Users, { user, proof }: LogIn, seed: Buffer): void {
  const password = Object.hasOwn(users, user) ? users[user] : undefined
  if (password === undefined || !isProof(proof, password, seed))
    throw serverError('accessDenied', user, proof.length > 0 ? 'YES' : 'NO')
}
