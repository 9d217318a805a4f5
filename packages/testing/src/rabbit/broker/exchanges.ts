import type { FieldTable, FieldValue } from '../wire/field-tables.ts'
import { textArgument } from './arguments.ts'
import { channelException, connectionException } from './exceptions.ts'
import type { Publication } from './messages.ts'

/** The kinds of exchange. */
type ExchangeKind = 'direct' | 'fanout' | 'topic' | 'headers'

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

// The exchanges of every vhost. The default exchange, without a name, routes by the name of the queue.
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

/** Whether every vhost has an exchange of that name. */
export function isPredeclared(name: string): boolean {
  return Object.hasOwn(predeclared, name)
}

/** The kind of that name; throws the connection exception COMMAND_INVALID when there is none. */
export function exchangeKind(name: string): ExchangeKind {
  const kind = kinds.find((known) => known === name)
  if (kind === undefined) throw connectionException('COMMAND_INVALID', `unknown exchange type '${name}'`)
  return kind
}

/** The exchange that receives what matches none of the bindings. */
export function alternateExchangeOf(exchange: Exchange): string | undefined {
  return textArgument(exchange.arguments, 'alternate-exchange')
}

/** A binding from an exchange to a queue or to another exchange. */
export interface Binding {
  readonly source: string
  readonly destination: Destination
  readonly routingKey: string
  readonly arguments: FieldTable
}

/** The destination of a binding. */
export interface Destination {
  readonly kind: 'queue' | 'exchange'
  readonly name: string
}

/** The bindings of a vhost. A binding that exists is not added again. */
export class Bindings {
  readonly #bySource = new Map<string, readonly Binding[]>()

  from(source: string): readonly Binding[] {
    return this.#bySource.get(source) ?? []
  }

  add(binding: Binding): void {
    const others = this.from(binding.source)
    if (!others.some((other) => isSameBinding(other, binding)))
      this.#bySource.set(binding.source, [...others, binding])
  }

  /** Removes one binding; true when it was there. */
  remove(binding: Binding): boolean {
    const before = this.from(binding.source)
    const after = before.filter((other) => !isSameBinding(other, binding))
    this.#bySource.set(binding.source, after)
    return after.length < before.length
  }

  removeFrom(source: string): void {
    this.#bySource.delete(source)
  }

  /** Removes all bindings to a destination; returns the exchanges that lost one. */
  removeTo({ kind, name }: Destination): readonly string[] {
    const losers: string[] = []
    for (const [source, bindings] of this.#bySource) {
      const kept = bindings.filter(
        ({ destination }) => destination.kind !== kind || destination.name !== name,
      )
      if (kept.length === bindings.length) continue
      this.#bySource.set(source, kept)
      losers.push(source)
    }
    return losers
  }
}

function isSameBinding(a: Binding, b: Binding): boolean {
  return (
    a.destination.kind === b.destination.kind &&
    a.destination.name === b.destination.name &&
    a.routingKey === b.routingKey &&
    isSameTable(a.arguments, b.arguments)
  )
}

function isSameTable(a: FieldTable, b: FieldTable): boolean {
  return a.size === b.size && [...a].every(([name, field]) => b.get(name)?.value === field.value)
}

/** What routing needs. */
interface RoutingTable {
  readonly exchanges: ReadonlyMap<string, Exchange>
  readonly bindings: Bindings
  readonly hasQueue: (name: string) => boolean
}

/** The names of the queues to which a message is routed, each once. */
export function route(map: RoutingTable, publication: Publication): readonly string[] {
  const reached = new Set<string>()
  const visited = new Set<string>()
  const pending = [publication.message.exchange]
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const exchange = map.exchanges.get(name)
    if (exchange === undefined || visited.has(name)) continue
    visited.add(name)
    const hop = hopFrom(map, exchange, publication)
    for (const queue of hop.queues) reached.add(queue)
    pending.push(...hop.exchanges)
  }
  return [...reached]
}

interface Hop {
  readonly queues: readonly string[]
  readonly exchanges: readonly string[]
}

function hopFrom(map: RoutingTable, exchange: Exchange, publication: Publication): Hop {
  if (exchange.name === '')
    return { queues: publication.routingKeys.filter((key) => map.hasQueue(key)), exchanges: [] }
  const fitting = map.bindings
    .from(exchange.name)
    .filter((binding) => matchesBinding(exchange, binding, publication))
  const alternate = alternateExchangeOf(exchange)
  if (fitting.length === 0 && alternate !== undefined) return { queues: [], exchanges: [alternate] }
  return { queues: destinations(fitting, 'queue'), exchanges: destinations(fitting, 'exchange') }
}

function destinations(bindings: readonly Binding[], kind: 'queue' | 'exchange'): readonly string[] {
  return bindings
    .filter(({ destination }) => destination.kind === kind)
    .map(({ destination }) => destination.name)
}

function matchesBinding(exchange: Exchange, binding: Binding, publication: Publication): boolean {
  switch (exchange.kind) {
    case 'fanout':
      return true
    case 'direct':
      return publication.routingKeys.includes(binding.routingKey)
    case 'topic':
      return publication.routingKeys.some((key) => matchesTopic(binding.routingKey, key))
    case 'headers':
      return matchesHeaders(binding.arguments, publication.headers)
  }
}

/** Whether a routing key matches a topic pattern: `*` is exactly one word, `#` any number of words. */
function matchesTopic(pattern: string, key: string): boolean {
  return wordsMatch(wordsOf(pattern), wordsOf(key))
}

function wordsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split('.')
}

function wordsMatch(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...restOfPattern] = pattern
  if (first === undefined) return words.length === 0
  if (first === '#') return anyTail(words).some((tail) => wordsMatch(restOfPattern, tail))
  const [word, ...restOfWords] = words
  return word !== undefined && (first === '*' || first === word) && wordsMatch(restOfPattern, restOfWords)
}

function anyTail(words: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: words.length + 1 }, (_, i) => words.slice(i))
}

const matchModes = ['all', 'any', 'all-with-x', 'any-with-x'] as const

/** Whether a message's headers fit the arguments of a binding to a headers exchange. */
function matchesHeaders(binding: FieldTable, headers: FieldTable): boolean {
  const mode = matchModeOf(binding)
  const wanted = [...binding].filter(([name]) => mode.endsWith('-with-x') || !name.startsWith('x-'))
  const isPresent = ([name, value]: readonly [string, FieldValue]): boolean =>
    isSameHeader(value, headers.get(name))
  return mode.startsWith('any') ? wanted.some(isPresent) : wanted.every(isPresent)
}

/** Throws at a binding whose `x-match` is unknown to RabbitMQ. */
export function checkMatchMode(binding: FieldTable): void {
  const given = binding.get('x-match')
  if (given === undefined || matchModes.some((mode) => mode === given.value)) return
  throw channelException(
    'PRECONDITION_FAILED',
    `Invalid x-match field value <<"${String(given.value)}">>; expected all, any, all-with-x, or any-with-x`,
  )
}

function matchModeOf(binding: FieldTable): (typeof matchModes)[number] {
  const given = binding.get('x-match')?.value
  return matchModes.find((mode) => mode === given) ?? 'all'
}

// A binding without a value requires only that the header exists.
function isSameHeader(wanted: FieldValue, found: FieldValue | undefined): boolean {
  if (found === undefined) return false
  return wanted.type === 'void' || (wanted.type === found.type && wanted.value === found.value)
}
