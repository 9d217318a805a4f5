import { authenticate, type Users } from '../broker/users.ts'
import type { FieldTable } from '../wire/field-value.ts'
import type { Fields } from '../wire/method.ts'

/** What a client told of itself when it logged in. */
export interface Client {
  readonly user: string
  /** Whether it wants to hear that a consumer was cancelled. */
  readonly hearsCancel: boolean
  /** Whether it wants to hear that it may not publish for now. */
  readonly hearsBlocked: boolean
}

/** What came of a log-in. */
export type LogIn =
  | { readonly kind: 'known'; readonly client: Client }
  /** Name and password do not fit. */
  | { readonly kind: 'refused' }
  /** Nothing that the server can read. */
  | { readonly kind: 'unreadable' }

/** Looks at what a client says of itself. */
export function logIn(users: Users, { mechanism, response, clientProperties }: StartOk): LogIn {
  const [, name, password] = response.split('\0')
  if (mechanism !== 'PLAIN' || name === undefined || password === undefined) return { kind: 'unreadable' }
  const user = authenticate(users, name, password)
  if (user === undefined) return { kind: 'refused' }
  const hearsCancel = hasCapability(clientProperties, 'consumer_cancel_notify')
  const hearsBlocked = hasCapability(clientProperties, 'connection.blocked')
  return { kind: 'known', client: { user, hearsCancel, hearsBlocked } }
}

type StartOk = Fields<'connection.start-ok'>

/** Whether a client wants to be told that its log-in failed, and not just be left. */
export function hearsFailure({ clientProperties }: StartOk): boolean {
  return hasCapability(clientProperties, 'authentication_failure_close')
}

function hasCapability(properties: FieldTable, name: string): boolean {
  const capabilities = properties.get('capabilities')
  return capabilities?.type === 'table' && capabilities.value.get(name)?.value === true
}
