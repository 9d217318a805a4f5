import { type MappedOption, mapped } from '../foreign-option.ts'
import { javaIsolation } from '../isolation.ts'
import type { ResolvedOptions } from '../resolved.ts'
import { javaVariables, type Variables } from '../session-variables.ts'
import { anyText, misspelt, numeral, words } from '../spelling.ts'
import { javaTimeZone } from '../time-zone.ts'

/** Options of Connector/J that become options of ours. */
export const mappedOptions: Readonly<Record<string, MappedOption>> = {
  user: mapped('username', words),
  password: mapped('password', anyText),
  poolName: mapped('name', words),
  connectTimeout: mapped('pool.connectTimeoutMs', numeral({ unit: 'milliseconds', zero: 'default' })),
  socketTimeout: mapped('timeoutMs', numeral({ unit: 'milliseconds', zero: 'default' })),
  maxPoolSize: mapped('pool.maximumSize', numeral()),
  minPoolSize: mapped('pool.minimumIdle', numeral()),
  maxIdleTime: mapped('pool.idleTimeoutMs', numeral({ unit: 'seconds', min: 1 })),
  galeraAllowedState: mapped('donor', donorOfStates),
  transactionIsolation: mapped('session.isolation', javaIsolation),
  timezone: mapped('session.timeZone', javaTimeZone),
  serverTimezone: mapped('session.timeZone', javaTimeZone),
  connectionTimeZone: mapped('session.timeZone', javaTimeZone),
  sessionVariables: mapped('session.variables', javaVariables),
  connectionCollation: mapped('session.variables', collation),
  initSql: mapped('session.initSql', words),
}

// States of wsrep_local_state: 4 is synced, 2 a donor. What else is listed could not serve and is never routed to.
function donorOfStates(value: unknown, place: string): ResolvedOptions['donor'] {
  const states = anyText(value, place).split(',')
  if (!states.every((state) => /^\s*[0-6]\s*$/.test(state))) {
    throw misspelt(place, "expected states of wsrep_local_state, such as '4' or '2,4'")
  }
  const allowed = states.map(Number)
  if (!allowed.includes(4))
    throw misspelt(place, 'expected 4, the state of a node that is synced, among the states')
  return allowed.includes(2) ? 'allow' : 'never'
}

function collation(value: unknown, place: string): Variables {
  const name = words(value, place)
  if (/^utf8mb4_\w+$/i.test(name)) return { collation_connection: name }
  throw misspelt(place, 'expected a collation of utf8mb4: connections speak no other character set')
}
