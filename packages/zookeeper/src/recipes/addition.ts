import { randomUUID } from 'node:crypto'
import { fullJitter, isHaError } from '@ha/core'
import { asError } from '@ha/core/driver'
import type { ZookeeperCode } from '../codes.ts'
import { gaveUp } from '../gave-up.ts'
import type { Ground } from '../ground.ts'
import { type Call, Remaining } from '../operations/call-options.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { contentOf, fateOf, type Lost, type Reading, textOf } from './counter-content.ts'

/** Reads a counter; undefined when there is none yet. */
export async function readCounter(
  { operations }: Ground,
  path: string,
  call: Call,
): Promise<Reading | undefined> {
  const node = await operations.get(path, call)
  if (node === undefined) return undefined
  const content = contentOf(node.data.toString())
  if (content === undefined) {
    throw new ZookeeperError('config-invalid', `counter ${path}: the node holds no whole number`, { path })
  }
  const { czxid, version } = node.stat
  return { ...content, czxid, version }
}

/** What one try to write came to: the sum, or why it has to be looked at again. */
type Written =
  | { readonly kind: 'done'; readonly sum: number }
  | { readonly kind: 'overtaken' }
  | { readonly kind: 'lost' }

// Among a crowd that adds to one counter somebody wins each round, so waits stay short.
const pace = fullJitter({ baseMs: 5, maxMs: 200 })

/** One addition to a counter: reads, writes onto what was read, and begins again when somebody was faster. */
export class Addition {
  readonly #ground: Ground
  readonly #path: string
  readonly #n: number
  readonly #call: Call
  readonly #remaining: Remaining
  // The same for all its tries: whichever of them the servers have seen, it is this addition, once.
  readonly #mark = randomUUID()
  #lost: Lost | undefined

  constructor(ground: Ground, path: string, n: number, call: Call) {
    this.#ground = ground
    this.#path = path
    this.#n = n
    this.#call = call
    this.#remaining = new Remaining(call, () => ground.clock.now())
  }

  /** Gives the sum. */
  async run(): Promise<number> {
    try {
      for (let round = 0; ; round++) {
        const now = await readCounter(this.#ground, this.#path, this.#remaining.call)
        if (this.#isIn(now)) return now?.value ?? 0
        const written = await this.#write(now)
        if (written.kind === 'done') return written.sum
        if (written.kind === 'lost') this.#lost = now ?? 'creation'
        await this.#pause(round)
        this.#remaining.check(this.#what, this.#path)
      }
    } catch (thrown) {
      throw this.#failed(thrown)
    }
  }

  // Whether a try whose answer was lost has brought about what was read.
  #isIn(now: Reading | undefined): boolean {
    if (this.#lost === undefined) return false
    const fate = fateOf(this.#lost, this.#mark, now)
    if (fate === 'refused') this.#lost = undefined
    if (fate === 'unknown') throw this.#error('outcome-unknown', 'others have written since', undefined)
    return fate === 'done'
  }

  async #write(now: Reading | undefined): Promise<Written> {
    const sum = this.#sum(now)
    const text = textOf({ value: sum, mark: this.#mark })
    const { operations } = this.#ground
    const { call } = this.#remaining
    try {
      if (now === undefined) await operations.create(this.#path, text, { ...call, parents: true })
      else await operations.set(this.#path, text, { ...call, version: now.version })
      return { kind: 'done', sum }
    } catch (thrown) {
      if (!isHaError(thrown)) throw thrown
      if (overtaken.includes(thrown.code)) return { kind: 'overtaken' }
      if (thrown.outcome === 'unknown') return { kind: 'lost' }
      throw thrown
    }
  }

  #sum(now: Reading | undefined): number {
    const before = now?.value ?? 0
    const sum = before + this.#n
    if (Number.isSafeInteger(sum)) return sum
    throw this.#error('config-invalid', `${before} and ${this.#n} are more than a number can hold`, undefined)
  }

  async #pause(round: number): Promise<void> {
    const { clock, random } = this.#ground
    const pauseMs = Math.min(pace(round, random), this.#remaining.call.timeoutMs)
    try {
      await clock.sleep(pauseMs, this.#call.signal)
    } catch (reason) {
      throw gaveUp(this.#ground, { what: `counter ${this.#path}`, path: this.#path }, reason)
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
    return new ZookeeperError(code, `${this.#what}${said}: ${why}`, { path: this.#path, outcome, cause })
  }

  get #what(): string {
    return `adding ${this.#n} to the counter ${this.#path}`
  }
}

// Somebody wrote it, made it or deleted it since it was read.
const overtaken: readonly string[] = ['bad-version', 'node-exists', 'no-node']
