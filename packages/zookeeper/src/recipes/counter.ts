import { randomUUID } from 'node:crypto'
import { fullJitter, isHaError } from '@ha/core'
import { asError } from '@ha/core/driver'
import type { ClientContext } from '../context.ts'
import { waitError } from '../context.ts'
import type { ZookeeperCode } from '../errors.ts'
import { ZookeeperError } from '../errors.ts'
import { CallDeadline, type CallLimits, resolveCall } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath } from '../operations/paths.ts'

/** A whole number that many add to. */
export interface Counter {
  readonly path: string
  /** What it is now; 0 when nobody has added anything. */
  get(options?: CallOptions): Promise<number>
  /**
   * Adds `n`, once or not at all, and gives the sum. When it rejects, `outcome` says which; it is unknown when the
   * answer was lost and others have added so much since that it cannot be told any more.
   */
  add(n: number, options?: CallOptions): Promise<number>
}

/** The counter in the node `path`, which is made by the first addition. */
export function counter(ground: ClientContext, path: string): Counter {
  checkPath(path, 'counter')
  const resolve = (name: string, options: CallOptions | undefined): CallLimits =>
    resolveCall(name, options, ground.operationTimeoutMs)
  return {
    path,
    get: async (options) => (await readCounter(ground, path, resolve('get', options)))?.value ?? 0,
    add: async (n, options) => {
      checkSummand(path, n)
      return new Addition(ground, path, n, resolve('add', options)).run()
    },
  }
}

function checkSummand(path: string, n: unknown): void {
  if (Number.isSafeInteger(n)) return
  throw new ZookeeperError('config-invalid', `counter ${path}: expected a whole number to add`, { path })
}

/** Reads a counter; undefined when there is none yet. */
async function readCounter(
  { operations }: ClientContext,
  path: string,
  call: CallLimits,
): Promise<CounterReading | undefined> {
  const node = await operations.get(path, call)
  if (node === undefined) return undefined
  const content = parseContent(node.data.toString())
  if (content === undefined) {
    throw new ZookeeperError('config-invalid', `counter ${path}: the node holds no whole number`, { path })
  }
  const { czxid, version } = node.stat
  return { ...content, czxid, version }
}

/** What one try to write came to: the sum, or why it has to be looked at again. */
type WriteAttempt =
  | { readonly kind: 'done'; readonly sum: number }
  | { readonly kind: 'overtaken' }
  | { readonly kind: 'lost' }

// Among a crowd that adds to one counter somebody wins each round, so waits stay short.
const pace = fullJitter({ baseMs: 5, maxMs: 200 })

/** One addition to a counter: reads, writes onto what was read, and begins again when somebody was faster. */
class Addition {
  readonly #ground: ClientContext
  readonly #path: string
  readonly #n: number
  readonly #call: CallLimits
  readonly #remaining: CallDeadline
  // The same for all its tries: whichever of them the servers have seen, it is this addition, once.
  readonly #mark = randomUUID()
  #lost: LostWrite | undefined

  constructor(ground: ClientContext, path: string, n: number, call: CallLimits) {
    this.#ground = ground
    this.#path = path
    this.#n = n
    this.#call = call
    this.#remaining = new CallDeadline(call, () => ground.clock.now())
  }

  /** Gives the sum. */
  async run(): Promise<number> {
    try {
      for (let round = 0; ; round++) {
        const now = await readCounter(this.#ground, this.#path, this.#remaining.remaining)
        if (this.#isApplied(now)) return now?.value ?? 0
        const written = await this.#write(now)
        if (written.kind === 'done') return written.sum
        if (written.kind === 'lost') this.#lost = now ?? 'creation'
        await this.#pause(round)
        this.#remaining.check(this.#description, this.#path)
      }
    } catch (thrown) {
      throw this.#failed(thrown)
    }
  }

  // Whether a try whose answer was lost has brought about what was read.
  #isApplied(now: CounterReading | undefined): boolean {
    if (this.#lost === undefined) return false
    const fate = lostWriteOutcome(this.#lost, this.#mark, now)
    if (fate === 'refused') this.#lost = undefined
    if (fate === 'unknown') throw this.#error('outcome-unknown', 'others have written since', undefined)
    return fate === 'done'
  }

  async #write(now: CounterReading | undefined): Promise<WriteAttempt> {
    const sum = this.#sum(now)
    const text = formatContent({ value: sum, mark: this.#mark })
    const { operations } = this.#ground
    const { remaining: call } = this.#remaining
    try {
      if (now === undefined) await operations.create(this.#path, text, { ...call, parents: true })
      else await operations.set(this.#path, text, { ...call, version: now.version })
      return { kind: 'done', sum }
    } catch (thrown) {
      if (!isHaError(thrown)) throw thrown
      if (conflictCodes.includes(thrown.code)) return { kind: 'overtaken' }
      if (thrown.outcome === 'unknown') return { kind: 'lost' }
      throw thrown
    }
  }

  #sum(now: CounterReading | undefined): number {
    const before = now?.value ?? 0
    const sum = before + this.#n
    if (Number.isSafeInteger(sum)) return sum
    throw this.#error('config-invalid', `${before} and ${this.#n} are more than a number can hold`, undefined)
  }

  async #pause(round: number): Promise<void> {
    const { clock, random } = this.#ground
    const pauseMs = Math.min(pace(round, random), this.#remaining.remaining.timeoutMs)
    try {
      await clock.sleep(pauseMs, this.#call.signal)
    } catch (reason) {
      throw waitError(this.#ground, { what: `counter ${this.#path}`, path: this.#path }, reason)
    }
  }

  // Whatever it was in the end: a write that was never answered may have happened.
  #failed(thrown: unknown): ZookeeperError {
    const error = asError(thrown)
    if (error instanceof ZookeeperError && (this.#lost === undefined || error.outcome === 'unknown'))
      return error
    const code = isHaError(error) ? (error.code as ZookeeperCode) : 'aborted'
    return this.#error(code, error.message, error)
  }

  #error(code: ZookeeperCode, why: string, cause: Error | undefined): ZookeeperError {
    const outcome = this.#lost === undefined ? 'not-done' : 'unknown'
    const said = outcome === 'unknown' ? '; a write was not answered' : ''
    return new ZookeeperError(code, `${this.#description}${said}: ${why}`, {
      path: this.#path,
      outcome,
      cause,
    })
  }

  get #description(): string {
    return `adding ${this.#n} to the counter ${this.#path}`
  }
}

// Somebody wrote it, made it or deleted it since it was read.
const conflictCodes: readonly string[] = ['bad-version', 'node-exists', 'no-node']

/** What a counter's node holds: a number, and the mark of the addition that wrote it. */
interface CounterContent {
  readonly value: number
  readonly mark: string | undefined
}

/** A counter as it was read. */
export interface CounterReading extends CounterContent {
  /** The transaction that made the node. */
  readonly czxid: bigint
  readonly version: number
}

/** A write whose answer was lost: it was to bring the node, as it was read, to the next version. */
export type LostWrite = Pick<CounterReading, 'czxid' | 'version'> | 'creation'

/**
 * What became of it. `open`: it has not happened, and still may; with the same mark again, the one or the other
 * happens, not both. `refused`: somebody else was faster, and it cannot happen any more.
 */
type LostWriteOutcome = 'done' | 'open' | 'refused' | 'unknown'

/** What a lost write of the addition `mark` has come to, when the counter now looks like this. */
export function lostWriteOutcome(
  lost: LostWrite,
  mark: string,
  now: CounterReading | undefined,
): LostWriteOutcome {
  if (now === undefined) return lost === 'creation' ? 'open' : 'unknown'
  if (now.mark === mark) return 'done'
  if (lost === 'creation') return now.version === 0 ? 'refused' : 'unknown'
  if (now.czxid !== lost.czxid) return 'unknown'
  if (now.version === lost.version) return 'open'
  // Of those who wrote onto the version that we had read, one won. Whoever wrote onto that hides who it was.
  return now.version === lost.version + 1 ? 'refused' : 'unknown'
}

/** Reads what is written in the node; undefined when that is no number. Other writers need no mark. */
export function parseContent(text: string): CounterContent | undefined {
  const [, digits, mark] = /^(-?\d+)(?: (\S+))?$/.exec(text) ?? []
  const value = Number(digits)
  return digits !== undefined && Number.isSafeInteger(value) ? { value, mark } : undefined
}

/** Writes it: the number first, so that any tool shows it. */
export function formatContent({ value, mark }: CounterContent): string {
  return mark === undefined ? String(value) : `${value} ${mark}`
}
