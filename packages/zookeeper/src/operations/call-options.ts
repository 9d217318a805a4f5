import {
  asError,
  callOptions,
  didYouMean,
  type OptionTable,
  optionChecks,
  quoted,
  resolveOptions as resolve,
  typeName,
} from '@ha/core/driver'
import { ZookeeperError } from '../errors.ts'
import type { Bytes } from '../node.ts'
import type { CallOptions, CreateOptions, WriteOptions } from './operations.ts'

/** The limits of one call, checked and completed. */
export interface CallLimits {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

/** The options of all calls; each call takes some of them. */
interface AllCallOptions
  extends CallOptions,
    Pick<CreateOptions, 'kind' | 'sequential' | 'ttlMs' | 'parents' | 'protect' | 'acl'>,
    Pick<WriteOptions, 'version' | 'repeatable'> {
  readonly recursive?: boolean | undefined
}

type CallOptionName = keyof AllCallOptions

const checkCall = callOptions<AllCallOptions>({
  invalid: invalidOption,
  table: {
    timeoutMs: optionChecks.timeoutMs,
    signal: optionChecks.signal,
    // The operations check these themselves.
    kind: optionChecks.any,
    ttlMs: optionChecks.any,
    acl: optionChecks.any,
    version: optionChecks.any,
    sequential: optionChecks.flag,
    parents: (value) =>
      value === 'container' || typeof value === 'boolean' ? undefined : "expected true, false or 'container'",
    protect: optionChecks.flag,
    repeatable: optionChecks.flag,
    recursive: optionChecks.flag,
  },
})

const limitNames: readonly CallOptionName[] = ['timeoutMs', 'signal']

/** Checks the options of a call. `name` is the name of the call in errors; `names` are the options that it takes. */
export function resolveCall(
  name: string,
  given: CallOptions | undefined,
  defaultTimeoutMs: number,
  names: readonly CallOptionName[] = limitNames,
): CallLimits {
  checkCall(name, given, names)
  return { timeoutMs: given?.timeoutMs ?? defaultTimeoutMs, signal: given?.signal }
}

/** Checks the options of a call that takes a timeout alone. */
export function resolveTimeout(
  name: string,
  given: Pick<CallOptions, 'timeoutMs'>,
  defaultTimeoutMs: number,
): number {
  checkCall(name, given, ['timeoutMs'])
  return given.timeoutMs ?? defaultTimeoutMs
}

/** Checks the options of a call that only its signal ends. */
export function resolveSignal(
  name: string,
  given: Pick<CallOptions, 'signal'> | undefined,
): AbortSignal | undefined {
  checkCall(name, given, ['signal'])
  return given?.signal
}

/**
 * Checks the version that a node must have; undefined stands for any version. Versions are signed numbers of 32 bits:
 * after 2147483647 changes a node goes on with -2147483648.
 */
export function checkVersion(name: string, path: string, version: unknown): number | undefined {
  if (version === undefined) return undefined
  if (Number.isInteger(version) && version === (Number(version) | 0)) return Number(version)
  const message = `${name}.version: expected a whole number of 32 bits, as in the stat of a node`
  throw new ZookeeperError('config-invalid', message, { path })
}

/** {@link checkVersion} for requests that cannot require -1, which stands for any version at the servers. */
export function checkSentVersion(name: string, path: string, version: unknown): number | undefined {
  const checked = checkVersion(name, path, version)
  if (checked !== -1) return checked
  const message = `${name}.version: the servers take -1 for any version: leave it out to accept any. A node that has this version leaves it with the next set()`
  throw new ZookeeperError('config-invalid', message, { path })
}

function invalidOption(path: string, problem: string): ZookeeperError {
  return new ZookeeperError('config-invalid', `${path}: ${problem}`)
}

/** The one deadline of a call whose steps have limits of their own. */
export class CallDeadline {
  readonly #timeoutMs: number
  readonly #untilMs: number
  readonly #now: () => number
  readonly #signal: AbortSignal | undefined

  constructor({ timeoutMs, signal }: CallLimits, now: () => number) {
    this.#now = now
    this.#timeoutMs = timeoutMs
    this.#untilMs = now() + timeoutMs
    this.#signal = signal
  }

  /** The limits of the next step: at least 1 ms, so that a step without time left rejects by itself. */
  get remaining(): CallLimits {
    const leftMs = this.#untilMs - this.#now()
    // At most the whole timeout: rounding of the clock must not exceed the longest timer of Node.js.
    return { timeoutMs: Math.min(this.#timeoutMs, Math.max(1, leftMs)), signal: this.#signal }
  }

  /**
   * Throws `timed-out` when no time is left: for a loop whose steps all succeed. `what` is the call, as in `delete /a`.
   */
  check(what: string, path: string): void {
    if (this.#now() < this.#untilMs) return
    const message = `${what}: not done within ${this.#timeoutMs} ms`
    throw new ZookeeperError('timed-out', message, { path, retryable: true })
  }

  get isOver(): boolean {
    return this.#now() >= this.#untilMs || this.#signal?.aborted === true
  }
}

/** `resolveOptions` of core, with errors of the class {@link ZookeeperError}. */
export function resolveOptions<T>(table: OptionTable<T>, given: unknown, name: string): T {
  try {
    return resolve(table, given, name)
  } catch (thrown) {
    throw invalidOptions(asError(thrown))
  }
}

function invalidOptions(cause: Error): ZookeeperError {
  return new ZookeeperError('config-invalid', cause.message, { cause })
}

/** Checks a choice of the caller. Throws `config-invalid`, with the choices and the nearest of them. */
export function checkChoice<W extends string>(what: string, path: string, word: W, known: readonly W[]): W {
  if (known.includes(word)) return word
  const hint = typeof word === 'string' ? didYouMean(word, known) : ''
  const message = `${what}: expected ${known.join(', ')}, got ${quoted(word)}${hint}`
  throw new ZookeeperError('config-invalid', message, { path })
}

/** Checks a function of the caller. Throws `config-invalid`, before anything is sent. */
export function checkFunction(what: string, path: string, fn: unknown): void {
  if (typeof fn === 'function') return
  const got = fn === null ? 'null' : typeof fn
  throw new ZookeeperError('config-invalid', `${what}: expected a function, got ${got}`, { path })
}

/**
 * Calls a function of the application; `what` is its name. What it throws may look like an error of this package, such
 * as a lost connection: it becomes the cause of an `internal` error.
 */
export function callUserFunction<T>(what: string, path: string, fn: () => T): T {
  try {
    return fn()
  } catch (thrown) {
    throw userFunctionError(what, path, asError(thrown))
  }
}

function userFunctionError(what: string, path: string, cause: Error): ZookeeperError {
  const message = `the ${what} function of ${path} threw: ${cause.message}`
  return new ZookeeperError('internal', message, { path, cause })
}

/**
 * The most bytes of data in a request of a limited size: 1 000 000 of the servers' default `jute.maxbuffer` of 0xfffff
 * bytes. This leaves room for the path and the ACL, and for the stat of the node in replies to clients with the same limit.
 * The whole request is checked before it is sent.
 */
export function maxDataBytesOf(maxRequestBytes: number): number {
  return Math.floor((maxRequestBytes * 1_000_000) / 0xf_ffff)
}

/** Encodes the data of a caller: a text as UTF-8, none as no bytes. */
export function encodeData(
  data: Bytes | null | undefined,
  name: string,
  path: string,
  maxDataBytes: number,
): Buffer {
  const bytes = toBuffer(data, name, path)
  if (bytes.length <= maxDataBytes) return bytes
  const message = `${name} ${path}: ${bytes.length} bytes exceed the limit of ${maxDataBytes} bytes of a node`
  throw new ZookeeperError('too-large', message, { path })
}

function toBuffer(data: Bytes | null | undefined, name: string, path: string): Buffer {
  if (data === undefined || data === null) return Buffer.alloc(0)
  if (typeof data === 'string') return Buffer.from(data)
  if (data instanceof Uint8Array) return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  throw new ZookeeperError(
    'config-invalid',
    `${name} ${path}: expected bytes or a text as data, got ${typeName(data)}`,
    { path },
  )
}
