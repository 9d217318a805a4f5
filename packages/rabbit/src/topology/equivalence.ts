import { asError } from '@ha/core/driver'
import { replyCode } from '../driver/error-classification.ts'
import type { Arguments } from './topology.ts'

// A broker compares arguments as they are written, and ends the channel over the first that differs. What it says then is
// the only source for how the object was declared.
const difference =
  /inequivalent arg '([^']+)' for (exchange|queue) .*: received (none|the value '(?:.*)' of type '\w+') but current is (none|the value '(.*)' of type '(\w+)')/s
const attribute =
  /inequivalent arg '(durable|auto_delete|exclusive|type|internal)' for .*: received '(.*)' but current is '(.*)'/s

// What an argument means that is left out.
const defaults: Readonly<Record<string, unknown>> = {
  'x-queue-type': 'classic',
  'x-overflow': 'drop-head',
  'x-single-active-consumer': false,
  'x-queue-mode': 'default',
  'x-queue-version': 1,
}

// Arguments that are used when the queue is created, and mean nothing afterwards.
const atCreationOnly: readonly string[] = [
  'x-queue-master-locator',
  'x-queue-leader-locator',
  'x-quorum-initial-group-size',
  'x-initial-cluster-size',
]

// The setting for an argument of a queue.
const settings: Readonly<Record<string, string>> = {
  'x-dead-letter-exchange': 'deadLetterExchange',
  'x-dead-letter-routing-key': 'deadLetterKey',
  'x-message-ttl': 'messageTtlMs',
  'x-expires': 'expiresMs',
  'x-max-length': 'maxMessages',
  'x-max-length-bytes': 'maxBytes',
  'x-overflow': 'overflow',
  'x-single-active-consumer': 'singleActiveConsumer',
  'x-max-priority': 'maxPriority',
  'x-delivery-limit': 'deliveryLimit',
  'x-max-age': 'maxAge',
  'x-stream-max-segment-size-bytes': 'maxSegmentBytes',
  'alternate-exchange': 'alternateExchange',
  durable: 'durable',
  auto_delete: 'autoDelete',
  exclusive: 'exclusive',
  internal: 'internal',
  type: 'type',
}

// The function that describes a queue of each type.
const functions: Readonly<Record<string, string>> = {
  classic: 'classic()',
  quorum: 'quorum()',
  stream: 'stream()',
}

/** An argument as the broker has it; `value` is undefined when it was left out. */
interface CurrentArgument {
  readonly name: string
  readonly value: unknown
}

/**
 * The arguments that say the same in the words of the existing queue: a default that was named or left out, or an argument
 * that counts only at creation. Undefined when the queue really differs.
 */
export function equivalentArguments(sent: Arguments, thrown: unknown): Arguments | undefined {
  const current = currentArgument(thrown)
  if (current === undefined || !meansTheSame(current, sent[current.name])) return undefined
  const { [current.name]: _, ...others } = sent
  return current.value === undefined ? others : { ...others, [current.name]: current.value }
}

function meansTheSame({ name, value }: CurrentArgument, sent: unknown): boolean {
  if (atCreationOnly.includes(name)) return true
  if (!Object.hasOwn(defaults, name)) return false
  return (value ?? defaults[name]) === (sent ?? defaults[name])
}

/** The error with a sentence on what to write instead; unchanged when it is about something else. */
export function withRemedy(thrown: unknown): Error {
  const error = asError(thrown)
  const remedy = replyCode(error) === 406 ? remedyFor(error) : undefined
  if (remedy === undefined) return error
  const text = `${error.message}; ${remedy}, or with passive: true to use it as it is`
  // The class of the refused method is what marks an error of the broker.
  return Object.assign(new Error(text, { cause: error }), { ...error })
}

function remedyFor(error: Error): string | undefined {
  const [, name = '', , current] = attribute.exec(error.message) ?? []
  if (current !== undefined)
    return `declare it with ${settings[name]}: ${name === 'type' ? `'${current}'` : current}`
  const argument = currentArgument(error)
  return argument === undefined ? undefined : remedyForArgument(argument)
}

function remedyForArgument({ name, value }: CurrentArgument): string {
  if (name === 'x-queue-type') {
    const type = String(value ?? 'classic')
    return `declare it with ${functions[type] ?? `classic({ arguments: { 'x-queue-type': '${type}' } })`}`
  }
  const setting = Object.hasOwn(settings, name) ? settings[name] : undefined
  const written = typeof value === 'string' ? `'${value}'` : String(value)
  if (value === undefined) return `declare it without ${setting ?? `the argument '${name}'`}`
  return setting === undefined
    ? `declare it with arguments: { '${name}': ${written} }`
    : `declare it with ${setting}: ${written}`
}

function currentArgument(thrown: unknown): CurrentArgument | undefined {
  if (replyCode(thrown) !== 406) return undefined
  const match = difference.exec(asError(thrown).message)
  if (match === null) return undefined
  const [, name = '', , , , text, type] = match
  if (text === undefined) return { name, value: undefined }
  if (type === 'bool') return { name, value: text === 'true' }
  return { name, value: type === 'longstr' ? text : Number(text) }
}
