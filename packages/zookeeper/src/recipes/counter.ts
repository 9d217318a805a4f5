import { randomUUID } from 'node:crypto'
import { fullJitter, isHaError } from '@ha/core'
import { asError } from '@ha/core/driver'
import { type ClientContext, waitError } from '../context.ts'
import { type ZookeeperCode, ZookeeperError } from '../errors.ts'
import { CallDeadline, type CallLimits, resolveCall } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath } from '../operations/paths.ts'

/** A whole number that many clients add to. */
export interface Counter {
  /** The node that contains the value. */
  readonly path: string
  /** The current value; 0 before the first addition. */
  get(options?: CallOptions): Promise<number>
  /**
   * Adds `n` exactly once or not at all, and returns the sum. When it rejects, `outcome` of the error says which. The
   * outcome is unknown when the answer was lost and later writes have replaced what this addition could be found by.
   */
  add(n: number, options?: CallOptions): Promise<number>
}

/** The counter in the node `path`, which is created by the first addition. */
export function counter(context: ClientContext, path: string): Counter {
  checkPath(path, 'counter')
  const resolve = (name: string, options: CallOptions | undefined): CallLimits =>
    resolveCall(name, options, context.operationTimeoutMs)
  return {
    path,
    get: async (options) => (await readCounter(context, path, resolve('get', options)))?.value ?? 0,
    add: async (n, options) => {
      checkSummand(path, n)
      return new Addition(context, path, n, resolve('add', options)).run()
    },
  }
}

function checkSummand(path: string, n: unknown): void {
  if (Number.isSafeInteger(n)) return
  throw new ZookeeperError('config-invalid', `counter ${path}: expected a whole number to add`, { path })
}

/** Reads a counter; undefined when its node does not exist. */
async function readCounter(
  { operations }: ClientContext,
  path: string,
  call: CallLimits,
): Promise<CounterReading | undefined> {
  const node = await operations.get(path, call)
  if (node === undefined) return undefined
  const content = parseContent(node.data.toString())
  if (content === undefined) {
    const message = `counter ${path}: the node does not contain a whole number`
    throw new ZookeeperError('config-invalid', message, { path })
  }
  const { czxid, version } = node.stat
  return { ...content, czxid, version }
}

/** The result of one write: the sum, or why the counter must be read again. */
type WriteAttempt =
  | { readonly kind: 'done'; readonly sum: number }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'lost' }

// Of many clients that add to one counter, one succeeds in each round, so the pauses stay short.
const backoff = fullJitter({ baseMs: 5, maxMs: 200 })

/** One addition: reads the counter, writes to the version that was read, and starts again after a conflict. */
class Addition {
  readonly #context: ClientContext
  readonly #path: string
  readonly #n: number
  readonly #call: CallLimits
  readonly #deadline: CallDeadline
  // All attempts write the same mark, so that any one of them that the servers applied is recognized.
  readonly #mark = randomUUID()
  #lost: LostWrite | undefined

  constructor(context: ClientContext, path: string, n: number, call: CallLimits) {
    this.#context = context
    this.#path = path
    this.#n = n
    this.#call = call
    this.#deadline = new CallDeadline(call, () => context.clock.now())
  }

  /** Returns the sum. */
  async run(): Promise<number> {
    try {
      for (let round = 0; ; round++) {
        const now = await readCounter(this.#context, this.#path, this.#deadline.remaining)
        if (this.#isApplied(now)) return now?.value ?? 0
        const attempt = await this.#write(now)
        if (attempt.kind === 'done') return attempt.sum
        if (attempt.kind === 'lost') this.#lost = now ?? 'creation'
        await this.#pause(round)
        this.#deadline.check(this.#description, this.#path)
      }
    } catch (thrown) {
      throw this.#failed(thrown)
    }
  }

  // Whether a write whose answer was lost has produced the current content.
  #isApplied(now: CounterReading | undefined): boolean {
    if (this.#lost === undefined) return false
    const outcome = lostWriteOutcome(this.#lost, this.#mark, now)
    if (outcome === 'refused') this.#lost = undefined
    if (outcome === 'unknown') throw this.#error('outcome-unknown', 'the node was written since', undefined)
    return outcome === 'done'
  }

  async #write(now: CounterReading | undefined): Promise<WriteAttempt> {
    const sum = this.#sum(now)
    const text = formatContent({ value: sum, mark: this.#mark })
    const { operations } = this.#context
    const { remaining } = this.#deadline
    try {
      if (now === undefined) await operations.create(this.#path, text, { ...remaining, parents: true })
      else await operations.set(this.#path, text, { ...remaining, version: now.version })
      return { kind: 'done', sum }
    } catch (thrown) {
      if (!isHaError(thrown)) throw thrown
      if (conflictCodes.includes(thrown.code)) return { kind: 'conflict' }
      if (thrown.outcome === 'unknown') return { kind: 'lost' }
      throw thrown
    }
  }

  #sum(now: CounterReading | undefined): number {
    const before = now?.value ?? 0
    const sum = before + this.#n
    if (Number.isSafeInteger(sum)) return sum
    const problem = `the sum of ${before} and ${this.#n} is not a safe integer`
    throw this.#error('config-invalid', problem, undefined)
  }

  async #pause(round: number): Promise<void> {
    const { clock, random } = this.#context
    const pauseMs = Math.min(backoff(round, random), this.#deadline.remaining.timeoutMs)
    try {
      await clock.sleep(pauseMs, this.#call.signal)
    } catch (reason) {
      throw waitError(this.#context, { what: `counter ${this.#path}`, path: this.#path }, reason)
    }
  }

  // After a write without an answer, the outcome is unknown, whatever failed later.
  #failed(thrown: unknown): ZookeeperError {
    const error = asError(thrown)
    if (error instanceof ZookeeperError && (this.#lost === undefined || error.outcome === 'unknown'))
      return error
    const code = isHaError(error) ? (error.code as ZookeeperCode) : 'aborted'
    return this.#error(code, error.message, error)
  }

  #error(code: ZookeeperCode, why: string, cause: Error | undefined): ZookeeperError {
    const outcome = this.#lost === undefined ? 'not-done' : 'unknown'
    const lost = outcome === 'unknown' ? '; the answer to a write was lost' : ''
    const message = `${this.#description}${lost}: ${why}`
    return new ZookeeperError(code, message, { path: this.#path, outcome, cause })
  }

  get #description(): string {
    return `adding ${this.#n} to the counter ${this.#path}`
  }
}

// Another client wrote, created or deleted the node since it was read.
const conflictCodes: readonly string[] = ['bad-version', 'node-exists', 'no-node']

/** The content of a counter's node: a number, and the mark of the addition that wrote it. */
interface CounterContent {
  readonly value: number
  readonly mark: string | undefined
}

/** A counter as it was read. */
export interface CounterReading extends CounterContent {
  /** The transaction that created the node. */
  readonly czxid: bigint
  readonly version: number
}

/** A write whose answer was lost: the node as it was read before, or its creation. */
export type LostWrite = Pick<CounterReading, 'czxid' | 'version'> | 'creation'

/**
 * The outcome of a lost write. `pending`: it has not been applied, and may still be; a repetition with the same mark
 * conflicts with it, so that only one of the two is applied. `refused`: another write was first, and it cannot be
 * applied any more.
 */
export type LostWriteOutcome = 'done' | 'pending' | 'refused' | 'unknown'

/** The outcome of a lost write with this mark, by the current content of the counter. */
export function lostWriteOutcome(
  lost: LostWrite,
  mark: string,
  now: CounterReading | undefined,
): LostWriteOutcome {
  if (now === undefined) return lost === 'creation' ? 'pending' : 'unknown'
  if (now.mark === mark) return 'done'
  if (lost === 'creation') return now.version === 0 ? 'refused' : 'unknown'
  if (now.czxid !== lost.czxid) return 'unknown'
  if (now.version === lost.version) return 'pending'
  // One write to the version that was read has won. A still later write hides which one that was.
  return now.version === ((lost.version + 1) | 0) ? 'refused' : 'unknown'
}

/** Parses the content of the node; undefined when it is not a number. Other writers may omit the mark. */
export function parseContent(text: string): CounterContent | undefined {
  const [, digits, mark] = /^(-?\d+)(?: (\S+))?$/.exec(text) ?? []
  const value = Number(digits)
  return digits !== undefined && Number.isSafeInteger(value) ? { value, mark } : undefined
}

/** Formats the content: the number comes first, so that it is visible in any tool. */
export function formatContent({ value, mark }: CounterContent): string {
  return mark === undefined ? String(value) : `${value} ${mark}`
}
