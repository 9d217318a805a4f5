import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import { endPolitely, openWithin } from '../connection.ts'
import { detachStack, HaError } from '../errors/ha-error.ts'
import type { Health, Observation } from '../model/member.ts'
import { type Clock, timerGrainMs } from '../runtime/clock.ts'
import { Notifier } from '../runtime/pulse.ts'
import type { PoolOptions } from './pool-options.ts'
import { Question, settledWithin } from './question.ts'

export interface Monitoring<C, R> {
  readonly endpoint: Endpoint
  readonly options: PoolOptions<C, R>
  /** What is believed of the endpoint. */
  readonly health: () => Health
  /** Takes note of what was seen. */
  readonly see: (sight: Observation<R>) => void
}

// So many reports that come at once make one look.
const closestLooksMs = 50

/**
 * Looks at one endpoint again and again, over a connection of its own, and says what it saw. A miss is a time of
 * `timeoutMs` in which neither the reading nor a knock beside it was answered; a reading that hangs while knocks are
 * answered is no miss, for the server lives.
 */
export class Monitor<C, R> {
  readonly #monitoring: Monitoring<C, R>
  readonly #news = new Notifier()
  readonly #woken = new Notifier()
  #connection: C | undefined
  #unwatch: () => void = () => undefined
  #refused = false
  #wakeAtMs = Number.POSITIVE_INFINITY
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(monitoring: Monitoring<C, R>) {
    this.#monitoring = monitoring
  }

  /** Looks at once, whatever it was waiting for. */
  wake(): void {
    this.#wakeAtMs = Math.max(this.#clock.now(), this.#lookedAtMs + closestLooksMs)
    this.#woken.notifyAll()
  }

  /** Looks until the signal fires; rejects with its reason. */
  async run(signal: AbortSignal): Promise<never> {
    for (;;) {
      this.#lookedAtMs = this.#clock.now()
      this.#wakeAtMs = Number.POSITIVE_INFINITY
      await this.#look(signal)
      await this.#rest(signal)
    }
  }

  /** Ends its connection politely, within `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    const connection = this.#connection
    this.#forget()
    if (connection !== undefined) await endPolitely(this.#monitoring.options, connection, { timeoutMs })
  }

  get #clock(): Clock {
    return this.#monitoring.options.clock
  }

  // One question, until it is answered, has failed, or is given up.
  async #look(signal: AbortSignal): Promise<void> {
    const { options, see } = this.#monitoring
    const startedAtMs = this.#clock.now()
    const question = new Question((inner) => this.#ask(inner), this.#news, signal)
    try {
      while (!(await this.#answered(question, signal))) {
        const hungMs = this.#clock.now() - startedAtMs
        if (this.#monitoring.health() === 'down' || hungMs >= options.connect.timeoutMs) {
          this.#drop()
          return
        }
      }
      const { answer } = question
      this.#refused = false
      if (answer.kind === 'answered') see({ kind: 'read', reading: answer.value, atMs: this.#clock.now() })
      if (answer.kind === 'failed') this.#failed(answer.error)
    } finally {
      question.end()
    }
  }

  // False when a while has passed without an answer: then it has been said what that means.
  async #answered(question: Question<R>, signal: AbortSignal): Promise<boolean> {
    const { endpoint, options, see, health } = this.#monitoring
    const { monitor, connect, clock } = options
    const down = health() === 'down'
    let knock: Question<void> | undefined
    const hedge = (): void => {
      knock = new Question((inner) => options.driver.probeEndpoint(endpoint, inner), this.#news, signal)
    }
    const settled = (): boolean => question.answer.kind !== 'pending'
    const timeoutMs = down ? connect.timeoutMs : monitor.timeoutMs
    const wait = { settled, news: this.#news, timeoutMs, onHalf: down ? () => undefined : hedge }
    try {
      if (await settledWithin(clock, wait, signal)) return true
      if (alive(knock)) see({ kind: 'reached', atMs: clock.now() })
      else see({ kind: 'missed', error: detachStack(this.#silent(timeoutMs)), atMs: clock.now() })
      return false
    } finally {
      knock?.end()
    }
  }

  async #ask(signal: AbortSignal): Promise<R> {
    const { driver } = this.#monitoring.options
    const old = this.#connection
    if (old !== undefined) {
      try {
        return await driver.read(old, signal)
      } catch (error) {
        if (signal.aborted || driver.classify(error).scope === 'call') throw error
        // This connection alone may be over: what a new one says counts.
        this.#drop()
      }
    }
    return driver.read(await this.#open(signal), signal)
  }

  async #open(signal: AbortSignal): Promise<C> {
    const { endpoint, options } = this.#monitoring
    const connection = await openWithin(options, endpoint, { timeoutMs: options.connect.timeoutMs, signal })
    this.#connection = connection
    this.#unwatch = options.driver.watch(connection, (news) => {
      if (news.kind !== 'lost') return
      this.#drop()
      this.wake()
    })
    return connection
  }

  #failed(error: Error): void {
    const { driver, clock } = this.#monitoring.options
    const atMs = clock.now()
    // It said no, for now or to this question alone: it is there.
    const { scope, transient } = driver.classify(error)
    const there = scope === 'call'
    this.#refused = !transient
    if (!there) this.#drop()
    this.#monitoring.see(
      there ? { kind: 'reached', atMs } : { kind: 'failed', error: detachStack(error), atMs },
    )
  }

  async #rest(signal: AbortSignal): Promise<void> {
    const down = this.#monitoring.health() === 'down'
    const { intervalMs } = this.#monitoring.options.monitor
    const dueAtMs = down ? this.#clock.now() + this.#retryMs() : this.#lookedAtMs + intervalMs
    for (;;) {
      const leftMs = Math.min(dueAtMs, this.#wakeAtMs) - this.#clock.now()
      if (leftMs < timerGrainMs) return
      const cancel = this.#clock.after(leftMs, () => this.#woken.notifyAll())
      try {
        await this.#woken.wait(signal)
      } finally {
        cancel()
      }
    }
  }

  // A final no is asked again, since somebody may correct it, but not often: servers lock out those who hammer.
  #retryMs(): number {
    const { monitor, connect, random } = this.#monitoring.options
    const restMs = this.#refused ? Math.max(monitor.retryMs, connect.backoff.maxMs) : monitor.retryMs
    return restMs * (1 + random() / 4)
  }

  #drop(): void {
    const connection = this.#connection
    this.#forget()
    if (connection !== undefined) this.#monitoring.options.driver.destroy(connection)
  }

  #forget(): void {
    this.#unwatch()
    this.#connection = undefined
  }

  #silent(timeoutMs: number): HaError {
    const endpoint = formatEndpoint(this.#monitoring.endpoint)
    const message = `${endpoint} gave no sign of life for ${timeoutMs} ms`
    return new HaError('unresponsive', message, { endpoint, retryable: true })
  }
}

function alive(knock: Question<void> | undefined): boolean {
  return knock?.answer.kind === 'answered'
}
