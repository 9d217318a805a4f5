import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import type { Health, Observation } from '../cluster/cluster-view.ts'
import { closeGracefully, openWithin } from '../driver.ts'
import { asError, detachStack, HaError } from '../errors/ha-error.ts'
import { type LinkedController, linkedController } from '../util/abort.ts'
import { ActiveTime } from '../util/active-time.ts'
import { type Clock, timerGrainMs } from '../util/clock.ts'
import { Notifier } from '../util/notifier.ts'
import type { PoolOptions } from './pool-options.ts'

interface HealthMonitorDeps<C, R> {
  readonly endpoint: Endpoint
  readonly options: PoolOptions<C, R>
  /** What is believed of the endpoint. */
  readonly health: () => Health
  /** Takes note of what was seen. */
  readonly observe: (observation: Observation<R>) => void
}

// So many reports that come at once make one look.
const minCheckIntervalMs = 50

/**
 * Looks at one endpoint again and again, over a connection of its own, and says what it saw. A miss is a time of
 * `timeoutMs` in which neither the reading nor a knock beside it was answered; a reading that hangs while knocks are
 * answered is no miss, for the server lives.
 */
export class HealthMonitor<C, R> {
  readonly #deps: HealthMonitorDeps<C, R>
  readonly #answers = new Notifier()
  readonly #woken = new Notifier()
  #connection: C | undefined
  #unwatch: () => void = () => undefined
  #refused = false
  #nextCheckAtMs = Number.POSITIVE_INFINITY
  #checkedAtMs = Number.NEGATIVE_INFINITY

  constructor(deps: HealthMonitorDeps<C, R>) {
    this.#deps = deps
  }

  /** Looks at once, whatever it was waiting for. */
  checkNow(): void {
    this.#nextCheckAtMs = Math.max(this.#clock.now(), this.#checkedAtMs + minCheckIntervalMs)
    this.#woken.notifyAll()
  }

  /** Looks until the signal fires; rejects with its reason. */
  async run(signal: AbortSignal): Promise<never> {
    for (;;) {
      this.#checkedAtMs = this.#clock.now()
      this.#nextCheckAtMs = Number.POSITIVE_INFINITY
      await this.#check(signal)
      await this.#rest(signal)
    }
  }

  /** Ends its connection politely, within `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    const connection = this.#connection
    this.#forget()
    if (connection !== undefined) await closeGracefully(this.#deps.options, connection, { timeoutMs })
  }

  get #clock(): Clock {
    return this.#deps.options.clock
  }

  // One question, until it is answered, has failed, or is given up.
  async #check(signal: AbortSignal): Promise<void> {
    const { options, observe: see } = this.#deps
    const startedAtMs = this.#clock.now()
    const request = new BackgroundRequest((inner) => this.#read(inner), this.#answers, signal)
    try {
      while (!(await this.#answered(request, signal))) {
        const hungMs = this.#clock.now() - startedAtMs
        if (this.#deps.health() === 'down' || hungMs >= options.connect.timeoutMs) {
          this.#destroy()
          return
        }
      }
      const { answer } = request
      this.#refused = false
      if (answer.kind === 'answered') see({ kind: 'read', reading: answer.value, atMs: this.#clock.now() })
      if (answer.kind === 'failed') this.#failed(answer.error)
    } finally {
      request.end()
    }
  }

  // False when a while has passed without an answer: then it has been said what that means.
  async #answered(request: BackgroundRequest<R>, signal: AbortSignal): Promise<boolean> {
    const { endpoint, options, observe: see, health } = this.#deps
    const { monitor, connect, clock } = options
    const down = health() === 'down'
    let probe: BackgroundRequest<void> | undefined
    const hedge = (): void => {
      probe = new BackgroundRequest(
        (inner) => options.driver.probeEndpoint(endpoint, inner),
        this.#answers,
        signal,
      )
    }
    const settled = (): boolean => request.answer.kind !== 'pending'
    const timeoutMs = down ? connect.timeoutMs : monitor.timeoutMs
    const wait = { settled, news: this.#answers, timeoutMs, onHalf: down ? () => undefined : hedge }
    try {
      if (await waitForAnswer(clock, wait, signal)) return true
      if (isAlive(probe)) see({ kind: 'reached', atMs: clock.now() })
      else see({ kind: 'missed', error: detachStack(this.#unresponsive(timeoutMs)), atMs: clock.now() })
      return false
    } finally {
      probe?.end()
    }
  }

  async #read(signal: AbortSignal): Promise<R> {
    const { driver } = this.#deps.options
    const old = this.#connection
    if (old !== undefined) {
      try {
        return await driver.read(old, signal)
      } catch (error) {
        if (signal.aborted || driver.classify(error).scope === 'call') throw error
        // This connection alone may be over: what a new one says counts.
        this.#destroy()
      }
    }
    return driver.read(await this.#open(signal), signal)
  }

  async #open(signal: AbortSignal): Promise<C> {
    const { endpoint, options } = this.#deps
    const connection = await openWithin(options, endpoint, { timeoutMs: options.connect.timeoutMs, signal })
    this.#connection = connection
    this.#unwatch = options.driver.watch(connection, (news) => {
      if (news.kind !== 'lost') return
      this.#destroy()
      this.checkNow()
    })
    return connection
  }

  #failed(error: Error): void {
    const { driver, clock } = this.#deps.options
    const atMs = clock.now()
    // It said no, for now or to this question alone: it is there.
    const { scope, transient } = driver.classify(error)
    const there = scope === 'call'
    this.#refused = !transient
    if (!there) this.#destroy()
    this.#deps.observe(
      there ? { kind: 'reached', atMs } : { kind: 'failed', error: detachStack(error), atMs },
    )
  }

  async #rest(signal: AbortSignal): Promise<void> {
    const down = this.#deps.health() === 'down'
    const { intervalMs } = this.#deps.options.monitor
    const dueAtMs = down ? this.#clock.now() + this.#retryMs() : this.#checkedAtMs + intervalMs
    for (;;) {
      const leftMs = Math.min(dueAtMs, this.#nextCheckAtMs) - this.#clock.now()
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
    const { monitor, connect, random } = this.#deps.options
    const restMs = this.#refused ? Math.max(monitor.retryMs, connect.backoff.maxMs) : monitor.retryMs
    return restMs * (1 + random() / 4)
  }

  #destroy(): void {
    const connection = this.#connection
    this.#forget()
    if (connection !== undefined) this.#deps.options.driver.destroy(connection)
  }

  #forget(): void {
    this.#unwatch()
    this.#connection = undefined
  }

  #unresponsive(timeoutMs: number): HaError {
    const endpoint = formatEndpoint(this.#deps.endpoint)
    const message = `${endpoint} gave no sign of life for ${timeoutMs} ms`
    return new HaError('unresponsive', message, { endpoint, retryable: true })
  }
}

function isAlive(probe: BackgroundRequest<void> | undefined): boolean {
  return probe?.answer.kind === 'answered'
}

/** How a question to a server stands. */
type RequestState<R> =
  | { readonly kind: 'pending' }
  | { readonly kind: 'answered'; readonly value: R }
  | { readonly kind: 'failed'; readonly error: Error }

/** A question whose answer is looked at, not waited for. Ending it gives it up. */
class BackgroundRequest<R> {
  readonly #scope: LinkedController
  #answer: RequestState<R> = { kind: 'pending' }

  constructor(ask: (signal: AbortSignal) => Promise<R>, news: Notifier, parent: AbortSignal) {
    this.#scope = linkedController(parent)
    const note = (answer: RequestState<R>): void => {
      this.#answer = answer
      news.notifyAll()
    }
    ask(this.#scope.signal).then(
      (value) => note({ kind: 'answered', value }),
      (thrown: unknown) => note({ kind: 'failed', error: asError(thrown) }),
    )
  }

  get answer(): RequestState<R> {
    return this.#answer
  }

  end(): void {
    if (this.#answer.kind === 'pending')
      this.#scope.abort(new HaError('aborted', 'the question is no longer asked'))
    else this.#scope.unlink()
  }
}

// Ten looks in the time of an answer, and none while the answer is there: only doubt costs timers.
const ticksPerAnswer = 10

/**
 * Waits until `settled`, or until the server has had `timeoutMs` of our attention to answer: a pause of our own event
 * loop is not held against it. `onHalf` is called half-way.
 */
async function waitForAnswer(
  clock: Clock,
  wait: {
    readonly settled: () => boolean
    readonly news: Notifier
    readonly timeoutMs: number
    readonly onHalf: () => void
  },
  signal: AbortSignal,
): Promise<boolean> {
  const { settled, news, timeoutMs, onHalf } = wait
  const lookMs = timeoutMs / ticksPerAnswer
  // Timers are late by a little, always: only what is late by a whole look was a pause.
  const attention = new ActiveTime(clock, 2 * lookMs)
  let waitedMs = 0
  let hedged = false
  while (!settled() && timeoutMs - waitedMs >= timerGrainMs) {
    const cancel = clock.after(Math.min(lookMs, timeoutMs - waitedMs), () => news.notifyAll())
    try {
      await news.wait(signal)
    } finally {
      cancel()
    }
    waitedMs += attention.tick()
    if (!hedged && waitedMs >= timeoutMs / 2) {
      hedged = true
      onHalf()
    }
  }
  return settled()
}
