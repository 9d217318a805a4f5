import type { FieldTable } from '../wire/field-value.ts'
import { textArgument } from './argument.ts'
import { connectionRefusal } from './refusal.ts'

/** The kinds of exchange. */
export type ExchangeKind = 'direct' | 'fanout' | 'topic' | 'headers'

/** An exchange, as it was declared. */
export interface Exchange {
  readonly name: string
  readonly kind: ExchangeKind
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly internal: boolean
  readonly arguments: FieldTable
}

const kinds: readonly ExchangeKind[] = ['direct', 'fanout', 'topic', 'headers']

// What every vhost has. The one without a name reaches every queue by the queue's name.
const predeclared: Readonly<Record<string, ExchangeKind>> = {
  '': 'direct',
  'amq.direct': 'direct',
  'amq.fanout': 'fanout',
  'amq.topic': 'topic',
  'amq.headers': 'headers',
  'amq.match': 'headers',
}

/** The exchanges of a new vhost. */
export function predeclaredExchanges(): readonly Exchange[] {
  return Object.entries(predeclared).map(([name, kind]) => ({
    name,
    kind,
    durable: true,
    autoDelete: false,
    internal: false,
    arguments: new Map(),
  }))
}

/** Whether an exchange is one that every vhost has. */
export function isPredeclared(name: string): boolean {
  return Object.hasOwn(predeclared, name)
}

/** The kind of that name; the connection of who asks for another one is closed. */
export function exchangeKind(name: string): ExchangeKind {
  const kind = kinds.find((known) => known === name)
  if (kind === undefined) throw connectionRefusal('COMMAND_INVALID', `unknown exchange type '${name}'`)
  return kind
}

/** Where an exchange sends what fits none of its bindings. */
export function alternateOf(exchange: Exchange): string | undefined {
  return textArgument(exchange.arguments, 'alternate-exchange')
}
