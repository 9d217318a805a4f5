/** What happened to an operation. `unknown`: it was sent, and the answer is missing. */
export type Outcome = 'done' | 'not-done' | 'unknown'

/** One code of the closed set: what it means, and what to do about it. `docs/errors.md` is generated from these. */
export interface CodeEntry {
  readonly meaning: string
  readonly action: string
}

export type CodeTable = Readonly<Record<string, CodeEntry>>

/** The codes that all clients share. Each client adds a table of its own. */
export const coreCodes = {
  'config-invalid': {
    meaning: 'An option, address or declaration cannot be used as written.',
    action: 'Correct the place that the message names; it says what was expected.',
  },
  closed: {
    meaning: 'The client is closed, or was closed while the operation waited.',
    action: 'Stop using the client after close(), or make a new one.',
  },
  aborted: {
    meaning: 'The caller’s own signal ended the wait.',
    action: 'None: your signal did it. Read `outcome` before you repeat the operation.',
  },
  'timed-out': {
    meaning: 'The deadline of the operation passed before it could end.',
    action: 'Read `outcome` and `cause`: the cause says what the operation was waiting for.',
  },
  exhausted: {
    meaning:
      'Every connection of the pool was in use for as long as the caller could wait. The server is healthy.',
    action:
      'Read the message: it says how long the connections have been in use. Release leases sooner, or raise the size of the pool (`pool.maximumSize` of the MariaDB client); nested code should use the lease that its caller holds.',
  },
  unreachable: {
    meaning: 'No endpoint accepted a connection.',
    action: 'Read `attempts`: it holds the error of every endpoint that was tried.',
  },
  refused: {
    meaning: 'Every endpoint answered and refused for a reason that waiting does not cure.',
    action: 'Correct the credentials, virtual host or certificate; the client keeps trying, slowly.',
  },
  unresponsive: {
    meaning: 'The connection was open and the server did not answer: it is frozen, or the network is cut.',
    action: 'None: the client uses another server. Inspect the server that `endpoint` names.',
  },
  lost: {
    meaning: 'The connection ended while the operation was under way.',
    action: 'Read `outcome`. When it is `unknown`, check what happened before you repeat.',
  },
  'failed-back': {
    meaning: 'A planned move to a preferred endpoint; nothing had failed.',
    action: 'None: it is the cause of a failover that `sequential` and `failBackAfterMs` ask for.',
  },
  rejected: {
    meaning: 'The server answered and refused the operation.',
    action:
      'Read `serverCode` and `cause`: a repetition is refused again. A declaration is tried again with growing delay, at most once a minute.',
  },
  'outcome-unknown': {
    meaning: 'The operation was sent, the answer was lost, and the operation is not `repeatable`.',
    action: 'Check whether it happened, or pass `repeatable: true` where executing it twice is harmless.',
  },
  'retry-budget-exhausted': {
    meaning:
      'The retry budget is spent: most operations fail, and retries only add load. Or this operation has lost its connection too often.',
    action:
      'Back off; the budget refills with each success. When `attempts` shows one lost connection after the other, look for what the statement does to its server.',
  },
  internal: {
    meaning: 'The library reached a state that should be impossible, or a function of the application threw.',
    action:
      'Read the cause. Unless it is an error of the application, report it: it is a defect of this library or of its driver.',
  },
} as const

export type CoreCode = keyof typeof coreCodes

/** One endpoint that was tried, and its error. */
export interface FailedAttempt {
  /** `host:port`, or `addresses` for the address function. */
  readonly endpoint: string
  readonly error: Error
}

/** What the attempts answered, for a message: each endpoint once, although many errors name their own. */
export function describeAttempts(attempts: readonly FailedAttempt[], ofName = ''): string {
  return attempts
    .map(({ endpoint, error }) => `${endpoint}: ${messageAt(endpoint, error, ofName)}`)
    .join('; ')
}

/** The message of an error without the endpoint, or the name that it stands for, at its beginning. */
export function messageAt(endpoint: string, { message }: Pick<Error, 'message'>, ofName = ''): string {
  const known = [endpoint, ofName].find((name) => name !== '' && message.startsWith(`${name}: `))
  if (known === undefined) return message
  return messageAt(endpoint, { message: message.slice(known.length + ': '.length) }, ofName)
}

export interface HaErrorDetails {
  /** Default `not-done`: must be given when the operation may have reached a server. */
  readonly outcome?: Outcome
  /** Whether the same operation can succeed when it is repeated. Default false. */
  readonly retryable?: boolean
  /** Where it happened, as `host:port`. Never holds credentials. */
  readonly endpoint?: string | undefined
  /** The server's own code: an AMQP reply code, an SQLSTATE, a ZooKeeper code. */
  readonly serverCode?: string | number | undefined
  readonly attempts?: readonly FailedAttempt[]
  readonly cause?: unknown
}

const brand = Symbol.for('@ha/error')

/** The one error class of `@ha/*`: a code of a closed set, an outcome, the cause, and no secrets. */
export class HaError<Code extends string = string> extends Error {
  readonly code: Code
  readonly outcome: Outcome
  readonly retryable: boolean
  readonly endpoint: string | undefined
  readonly serverCode: string | number | undefined
  readonly attempts: readonly FailedAttempt[]

  constructor(code: Code, message: string, details: HaErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'HaError'
    this.code = code
    this.outcome = details.outcome ?? 'not-done'
    this.retryable = details.retryable ?? false
    this.endpoint = details.endpoint
    this.serverCode = details.serverCode
    this.attempts = details.attempts ?? []
    Object.defineProperty(this, brand, { value: true })
  }

  /**
   * The error as plain data for structured logs: `JSON.stringify` would leave out the message, the causes and what each
   * endpoint answered. Of errors that are not of this library, only the name, the message and the codes are kept.
   */
  toJSON(): Readonly<Record<string, unknown>> {
    return errorData(this, deepestInJson)
  }
}

// Causes below are left out: one of core, one of the driver and one of Node tell what happened.
const deepestInJson = 4
// More entries of a list than a cluster has servers are left out.
const longestInJson = 32
const foreignFields = ['code', 'errno', 'sqlState', 'syscall', 'address', 'port'] as const

// A getter of an error that is not of this library, or a proxy, can throw: the log keeps everything else.
function errorData(error: unknown, depth: number): Readonly<Record<string, unknown>> {
  try {
    return isError(error) ? readError(error, depth) : { message: textOf(error) }
  } catch {
    return { message: 'this error cannot be read' }
  }
}

function readError(error: Error, depth: number): Readonly<Record<string, unknown>> {
  const { name, message, cause } = error
  const own = isHaError(error) ? Object.entries(error) : fieldsOf(error, foreignFields)
  const data: Record<string, unknown> = { name, message }
  for (const [key, value] of own) if (value !== undefined) data[key] = plain(value, depth, deepestInJson)
  if (error instanceof AggregateError) data['errors'] = plain(error.errors, depth, deepestInJson)
  if (cause !== undefined && depth > 1) data['cause'] = errorData(cause, depth - 1)
  return data
}

function fieldsOf(error: Error, names: readonly string[]): readonly (readonly [string, unknown])[] {
  return names.map((name) => [name, Reflect.get(error, name)] as const)
}

/** `depth` bounds the chain of causes, `nesting` the objects within one field: either can contain itself. */
function plain(value: unknown, depth: number, nesting: number): unknown {
  try {
    return plainValue(value, depth, nesting)
  } catch {
    return undefined
  }
}

function plainValue(value: unknown, depth: number, nesting: number): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Error) return depth > 1 ? errorData(value, depth - 1) : value.message
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if (nesting === 0) return undefined
  if (Array.isArray(value)) {
    return value.slice(0, longestInJson).map((each) => plain(each, depth, nesting - 1))
  }
  const entries = Object.entries(value).slice(0, longestInJson)
  return Object.fromEntries(entries.map(([key, each]) => [key, plain(each, depth, nesting - 1)]))
}

/** True for an {@link HaError}, also one made by another copy of this package. */
export function isHaError(error: unknown): error is HaError {
  return typeof error === 'object' && error !== null && brand in error
}

/** The thrown value as an Error: the message of one for a thrown string or object is its text. */
export function asError(thrown: unknown): Error {
  return isError(thrown) ? thrown : new Error(textOf(thrown), { cause: thrown })
}

// Of a proxy that was revoked, not even the prototype can be read.
function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error
  } catch {
    return false
  }
}

// An object without a prototype, one whose own toString throws, or a proxy may have no text.
function textOf(thrown: unknown): string {
  for (const text of [String, (value: unknown) => Object.prototype.toString.call(value)]) {
    try {
      return text(thrown)
    } catch {
      // The next one asks for less.
    }
  }
  return `a value without a text (${typeof thrown})`
}

// Causes that go deeper, or in a cycle, are not followed.
const deepest = 8

/**
 * Prepares an error to be kept for longer than the current turn. Until the stack of an error is read for the first time,
 * V8 retains its frames with their receivers: a kept error would keep a dead connection and its buffers in memory.
 * Reading costs some microseconds, so it is done where an error is kept, not where it is made.
 */
export function detachStack<E extends Error>(error: E): E {
  readStacks(error, deepest)
  return error
}

function readStacks(error: unknown, depth: number): void {
  if (!isError(error) || depth === 0) return
  try {
    void error.stack
    readStacks(error.cause, depth - 1)
    if (isHaError(error)) for (const attempt of error.attempts) readStacks(attempt.error, depth - 1)
  } catch {
    // A getter that throws keeps no frames that could be read.
  }
}

export interface ErrorMapping<E extends HaError> {
  /** The error class of the client: errors of this class pass unchanged. */
  readonly type: abstract new (
    ...args: never[]
  ) => E
  /** Makes the client's error from one of core. `details` holds what core's error says; the cause is the innermost known. */
  readonly fromCore: (error: HaError, details: HaErrorDetails) => E
  /** Makes the client's error from any other error: one of the driver, or of a function of the application. */
  readonly fromForeign: (error: Error) => E
}

/** Wraps what an operation rejected with in the error class of the client. Outcome, cause and attempts are kept. */
export function wrapError<E extends HaError>(thrown: unknown, mapping: ErrorMapping<E>): E {
  if (thrown instanceof mapping.type) return thrown
  const error = asError(thrown)
  if (!isHaError(error)) return mapping.fromForeign(error)
  const { outcome, retryable, endpoint, serverCode, attempts } = error
  const cause = error.cause ?? error
  return mapping.fromCore(error, { outcome, retryable, endpoint, serverCode, attempts, cause })
}
