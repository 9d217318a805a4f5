import { HaError } from '@ha/core'
import {
  checked,
  count,
  didYouMean,
  flag,
  group,
  invalidOption,
  milliseconds,
  type OptionReader,
  type OptionTable,
  oneOf,
  optional,
  Problems,
} from '@ha/core/driver'
import { encodableTable } from '../publisher/field-table.ts'
import type {
  Arguments,
  BindingSpec,
  ClassicSettings,
  ExchangeSpec,
  QueueSettings,
  QuorumSettings,
  StreamSettings,
  Topology,
} from './topology.ts'

/** Checks a topology; throws one `config-invalid` error that names the path of each problem. */
export function validateTopology(value: unknown, path: string): Topology {
  if (value === undefined) return {}
  if (!isObject(value))
    throw new HaError('config-invalid', `${path}: expected { exchanges, queues, bindings }`)
  const problems = new Problems()
  group(sections).read(value, path, problems)
  problems.throwIfAny()
  return value
}

// Declarations are passed on as written: the broker has the defaults. These readers only check, and read an absent
// option as `undefined`.
const sections: OptionTable<{ exchanges: unknown; queues: unknown; bindings: unknown }> = {
  exchanges: byName((value, path, problems) => group(exchangeTable).read(value, path, problems)),
  queues: byName(readQueue),
  bindings: { read: readBindings },
}

const exchangeTypes: readonly string[] = ['direct', 'topic', 'fanout', 'headers']

const exchangeTable: OptionTable<{ [K in keyof ExchangeSpec]: unknown }> = {
  type: checked(readType, undefined),
  durable: flag(true),
  autoDelete: flag(false),
  internal: flag(false),
  alternateExchange: optional(checked(readName, '')),
  passive: flag(false),
  arguments: checked(readArguments, {}),
}

// RabbitMQ takes unsigned 32-bit numbers here.
const maxUint32 = 4_294_967_295

const queueTable: OptionTable<{ [K in keyof QueueSettings]: unknown }> = {
  deadLetterExchange: optional(checked(readText, '')),
  deadLetterKey: optional(checked(readText, '')),
  messageTtlMs: optional(milliseconds({ default: 0, min: 0, max: maxUint32 })),
  maxMessages: optional(count({ default: 0, min: 0, max: maxUint32 })),
  maxBytes: optional(count({ default: 0, min: 0, max: Number.MAX_SAFE_INTEGER })),
  overflow: oneOf(['drop-head', 'reject-publish'], 'drop-head'),
  singleActiveConsumer: flag(false),
  expiresMs: optional(milliseconds({ default: 0, min: 1, max: maxUint32 })),
  arguments: checked(readArguments, {}),
}

const classicTable: OptionTable<{ [K in keyof ClassicSettings]: unknown }> = {
  ...queueTable,
  durable: flag(true),
  autoDelete: flag(false),
  exclusive: flag(false),
  passive: flag(false),
  maxPriority: optional(count({ default: 0, min: 1, max: 255 })),
}

const quorumTable: OptionTable<{ [K in keyof QuorumSettings]: unknown }> = {
  ...queueTable,
  passive: flag(false),
  // Since RabbitMQ 4.0, -1 means no limit.
  deliveryLimit: optional(count({ default: 0, min: -1, max: maxUint32 })),
}

const streamTable: OptionTable<{ [K in keyof StreamSettings]: unknown }> = {
  passive: flag(false),
  maxBytes: optional(count({ default: 0, min: 0, max: Number.MAX_SAFE_INTEGER })),
  maxAge: optional(checked(readAge, '')),
  maxSegmentBytes: optional(count({ default: 0, min: 1, max: 3_000_000_000 })),
  arguments: checked(readArguments, {}),
}

const tables = {
  quorum: quorumTable,
  classic: classicTable,
  stream: streamTable,
  mirrored: queueTable,
  ephemeral: queueTable,
} as const

function readQueue(value: unknown, path: string, problems: Problems): void {
  const { kind, settings, ...others } = isObject(value) ? value : {}
  if (!isKind(kind) || !isObject(settings) || Object.keys(others).length > 0) {
    problems.add(path, 'expected quorum(), stream(), mirrored(), classic() or ephemeral()')
    return
  }
  group<unknown>(tables[kind] as OptionTable<unknown>).read(settings, path, problems)
  refuseBesidePassive(settings, path, problems)
  refuseOtherType(kind, settings['arguments'], path, problems)
}

function refuseBesidePassive(
  { passive, ...others }: Readonly<Record<string, unknown>>,
  path: string,
  problems: Problems,
): void {
  if (passive !== true) return
  for (const [name, value] of Object.entries(others))
    if (value !== undefined)
      problems.add(`${path}.${name}`, 'expected nothing: with passive, another service declares the queue')
}

function refuseOtherType(kind: string, given: unknown, path: string, problems: Problems): void {
  const type = isObject(given) ? given['x-queue-type'] : undefined
  if (type === undefined || type === kind || (kind !== 'quorum' && kind !== 'stream')) return
  const expected = `expected nothing: ${kind}() sets it, and classic() leaves it to you`
  problems.add(`${path}.arguments.x-queue-type`, expected)
}

function isKind(kind: unknown): kind is keyof typeof tables {
  return typeof kind === 'string' && Object.hasOwn(tables, kind)
}

const bindingTable: OptionTable<{ [K in keyof BindingSpec]: unknown }> = {
  exchange: checked(readName, ''),
  queue: optional(checked(readName, '')),
  toExchange: optional(checked(readName, '')),
  key: optional(checked(readText, '')),
  arguments: checked(readArguments, {}),
}

// A binding may name an exchange or queue that another service declares.
function readBindings(value: unknown, path: string, problems: Problems): void {
  if (value === undefined) return
  if (!Array.isArray(value)) {
    problems.add(path, 'expected a list')
    return
  }
  for (const [i, binding] of value.entries()) {
    const at = `${path}[${i}]`
    const { queue, toExchange } = group(bindingTable).read(binding, at, problems)
    if ((queue === undefined) === (toExchange === undefined)) {
      problems.add(at, 'expected either queue or toExchange')
    }
  }
}

// An object whose keys are names.
function byName(read: OptionReader<unknown>['read']): OptionReader<unknown> {
  return {
    read(value, path, problems) {
      if (value === undefined) return
      if (!isObject(value)) {
        problems.add(path, 'expected an object with a name for each')
        return
      }
      for (const [name, spec] of Object.entries(value)) read(spec, `${path}.${name}`, problems)
    },
  }
}

function readType(value: unknown, path: string): string {
  if (typeof value === 'string' && (exchangeTypes.includes(value) || value.startsWith('x-'))) return value
  const hint = typeof value === 'string' ? didYouMean(value, exchangeTypes) : ''
  throw invalidOption(path, `expected one of ${exchangeTypes.join(', ')}, or x-…${hint}`)
}

function readName(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '' && fits(value)) return value
  throw invalidOption(path, 'expected a name of at most 255 bytes')
}

// The empty string is valid in AMQP: it names the default exchange and is a routing key.
function readText(value: unknown, path: string): string {
  if (typeof value === 'string' && fits(value)) return value
  throw invalidOption(path, 'expected text of at most 255 bytes')
}

function fits(text: string): boolean {
  return Buffer.byteLength(text) <= 255
}

function readAge(value: unknown, path: string): string {
  if (typeof value === 'string' && /^\d+[YMDhms]$/.test(value)) return value
  throw invalidOption(path, "expected a number and Y, M, D, h, m or s, such as '7D'")
}

function readArguments(value: unknown, path: string): Arguments {
  if (value === undefined) return {}
  if (!isObject(value)) throw invalidOption(path, 'expected an object')
  // Throws for a value that AMQP has no type for.
  encodableTable(value, path)
  return value
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
