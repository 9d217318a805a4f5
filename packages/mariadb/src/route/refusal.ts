import { formatEndpoint, type HaError, isHaError } from '@ha/core'
import { MariadbError } from '../mariadb-error.ts'
import type { Judged } from './judged.ts'
import type { Wish } from './wish.ts'

/** Why no server may be used, and whether waiting is in vain. */
export function refusal(wish: Wish, judged: readonly Judged[]): { error: HaError; final: boolean } {
  const said = judged.map(describe).join('; ')
  const attempts = judged.flatMap(({ member }) =>
    member.lastError === undefined
      ? []
      : [{ endpoint: formatEndpoint(member.endpoint), error: member.lastError }],
  )
  const make = (code: MariadbError['code'], message: string, retryable: boolean): HaError =>
    new MariadbError(code, `${message}: ${said}`, { attempts, retryable })
  if (judged.length > 0 && judged.every(refused)) {
    return { error: make('refused', 'every server refused the login', false), final: true }
  }
  if (judged.some(because('no-galera'))) {
    return {
      error: make('refused', '`galera: require`, and a server is no Galera node', false),
      final: false,
    }
  }
  if (judged.some(withoutQuorum)) {
    return { error: make('no-primary-component', 'no Galera node has a quorum', true), final: false }
  }
  if (wish.asked === 'primary' && judged.some(takesNoWrites)) {
    return { error: make('read-only', 'no server takes writes', true), final: false }
  }
  return { error: make('unreachable', 'no server can be used', true), final: false }
}

function refused({ member }: Judged): boolean {
  return member.health === 'down' && isHaError(member.lastError) && member.lastError.code === 'refused'
}

function because(wanted: string): (judged: Judged) => boolean {
  return (judged) => judged.kind === 'unusable' && judged.because === wanted
}

function withoutQuorum(judged: Judged): boolean {
  return because('no-quorum')(judged) || because('not-synced')(judged) || because('drained')(judged)
}

function takesNoWrites(judged: Judged): boolean {
  return because('read-only')(judged) || because('wrong-role')(judged)
}

function describe(judged: Judged): string {
  const { endpoint, health, lastError } = judged.member
  const name = formatEndpoint(endpoint)
  switch (judged.kind) {
    case 'usable':
      return `${name} can be used`
    case 'unusable':
      return `${name} ${words[judged.because]}`
    case 'unanswered':
      return lastError === undefined
        ? `${name} has not answered yet`
        : `${name} is ${health}: ${lastError.message}`
  }
}

const words: Readonly<Record<Extract<Judged, { kind: 'unusable' }>['because'], string>> = {
  'no-quorum': 'has lost its quorum',
  'not-synced': 'is not synchronised',
  drained: 'rejects queries',
  'read-only': 'is read-only',
  'other-cluster': 'belongs to another cluster',
  lags: 'is too far behind',
  'not-replicating': 'does not replicate',
  'no-galera': 'is no Galera node',
  'wrong-role': 'is listed as a replica',
}
