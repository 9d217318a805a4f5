import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import type { Health, Observation } from '../cluster/cluster-view.ts'
import { closeGracefully, openWithin, type ProbeAnswer } from '../driver.ts'
import { asError, detachStack, HaError } from '../errors/ha-error.ts'
import { isOptionFailure } from '../option-calls.ts'
import { type LinkedController, linkedController } from '../util/abort.ts'
import { ActiveTime } from '../util/active-time.ts'
import { type Clock, timerGrainMs } from '../util/clock.ts'
import { Notifier } from '../util/notifier.ts'
import type { PoolOptions } from './pool-options.ts'

interface HealthMonitorDeps<C, R> {
  readonly endpoint: Endpoint
  readonly options: PoolOptions<C, R>
  /** The health of the endpoint in the view. */
  readonly health: () => Health
  /** Folds an observation into the view. */
  readonly observe: (observation: Observation<R>) => void
  /** The server of this connection does not answer, while another server answers in its place. */
  readonly onServerSilent: (connection: C, error: HaError) => void
}

// Minimum interval between two checks: reports that come together cause one check.
const minCheckIntervalMs = 50

/**
 * Checks one endpoint periodically, over a connection of its own, and reports its observations. A miss is a period of
 * `timeoutMs` in which neither the read nor a probe of the endpoint was answered. A read that hangs while probes are
 * answered is no miss: the endpoint is alive. When another server answered them, only the server of the connection is
 * silent.
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

  /** Checks at once instead of at the end of the interval. */
  checkNow(): void {
    this.#nextCheckAtMs = Math.max(this.#clock.now(), this.#checkedAtMs + minCheckIntervalMs)
    this.#woken.notifyAll()
  }

  /** Checks until the signal fires; rejects with its reason. */
  async run(signal: AbortSignal): Promise<never> {
    for (;;) {
      this.#checkedAtMs = this.#clock.now()
      this.#nextCheckAtMs = Number.POSITIVE_INFINITY
      await this.#check(signal)
      await this.#rest(signal)
    }
  }

  /** Closes its connection gracefully within `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    const connection = this.#connection
    this.#forget()
    if (connection !== undefined) await closeGracefully(this.#deps.options, connection, { timeoutMs })
  }

  get #clock(): Clock {
    return this.#deps.options.clock
  }

  // One read, until it is answered, has failed, or is abandoned.
  async #check(signal: AbortSignal): Promise<void> {
    const { observe } = this.#deps
    const request = new BackgroundRequest((inner) => this.#read(inner), this.#answers, signal)
    try {
      if (!(await this.#settles(request, signal))) return
      const { answer } = request
      this.#refused = false
      if (answer.kind === 'answered')
        observe({ kind: 'read', reading: answer.value, atMs: this.#clock.now() })
      if (answer.kind === 'failed') this.#failed(answer.error)
    } finally {
      request.end()
    }
  }

  // False when the request was given up, with its connection.
  async #settles(request: BackgroundRequest<R>, signal: AbortSignal): Promise<boolean> {
    const { monitor, connect } = this.#deps.options
    const startedAtMs = this.#clock.now()
    let others = 0
    for (;;) {
      const outcome = await this.#outcome(request, signal)
      if (outcome === 'answered') return true
      others = outcome === 'another-server' ? others + 1 : 0
      const hungMs = this.#clock.now() - startedAtMs
      if (others >= monitor.downAfter) this.#leaveServer(hungMs)
      else if (this.#deps.health() === 'down' || hungMs >= connect.timeoutMs) this.#destroy()
      else continue
      return false
    }
  }

  // `timeoutMs` has passed without an answer unless it is `answered`; the observation for that has been reported.
  async #outcome(
    request: BackgroundRequest<R>,
    signal: AbortSignal,
  ): Promise<'answered' | 'silent' | ProbeAnswer> {
    const { endpoint, options, observe, health } = this.#deps
    const { monitor, connect, clock } = options
    const down = health() === 'down'
    let probe: BackgroundRequest<ProbeAnswer> | undefined
    const hedge = (): void => {
      probe = new BackgroundRequest(
        (inner) => options.driver.probeEndpoint(endpoint, inner, this.#connection),
        this.#answers,
        signal,
      )
    }
    const settled = (): boolean => request.answer.kind !== 'pending'
    const timeoutMs = down ? connect.timeoutMs : monitor.timeoutMs
    const wait = { settled, changed: this.#answers, timeoutMs, onHalf: down ? () => undefined : hedge }
    try {
      if (await waitForAnswer(clock, wait, signal)) return 'answered'
      const answer = answerOf(probe)
      const waitingFor = options.driver.waitingFor?.()
      if (answer === undefined && waitingFor !== undefined && this.#connection === undefined)
        observe({ kind: 'reported', error: waitingFor, atMs: clock.now() })
      else if (answer === undefined)
        observe({ kind: 'missed', error: detachStack(this.#unresponsive(timeoutMs)), atMs: clock.now() })
      else observe({ kind: 'reached', isOnlyEndpoint: answer !== 'same-server', atMs: clock.now() })
      return answer ?? 'silent'
    } finally {
      probe?.end()
    }
  }

  // The next check reads from the server that answers by now.
  #leaveServer(silentMs: number): void {
    const connection = this.#connection
    if (connection !== undefined)
      this.#deps.onServerSilent(connection, detachStack(this.#unresponsive(Math.round(silentMs))))
    this.#destroy()
    this.checkNow()
  }

  async #read(signal: AbortSignal): Promise<R> {
    const { driver } = this.#deps.options
    const old = this.#connection
    if (old !== undefined) {
      try {
        return await driver.read(old, signal)
      } catch (error) {
        if (signal.aborted || driver.classify(error).scope === 'call') throw error
        // Only this connection may have failed: the answer on a new one counts.
        this.#destroy()
      }
    }
    return driver.read(await this.#open(signal), signal)
  }

  async #open(signal: AbortSignal): Promise<C> {
    const { endpoint, options } = this.#deps
    const connection = await openWithin(options, endpoint, { timeoutMs: options.connect.timeoutMs, signal })
    this.#connection = connection
    this.#unwatch = options.driver.watch(connection, (reported) => {
      if (reported.kind !== 'lost') return
      this.#destroy()
      this.checkNow()
    })
    return connection
  }

  #failed(error: Error): void {
    const { driver, clock } = this.#deps.options
    const atMs = clock.now()
    // A server that refuses this request alone, or for now, is alive.
    const { scope, transient } = driver.classify(error)
    const isAlive = scope === 'call'
    this.#refused = !transient
    if (!isAlive) this.#destroy()
    if (isOptionFailure(error)) this.#deps.observe({ kind: 'reported', error, atMs })
    else this.#deps.observe(isAlive ? { kind: 'reached', error, atMs } : { kind: 'failed', error, atMs })
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

  // A refusal is retried, since an operator may correct the cause, but rarely: servers lock out clients that retry fast.
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
    const message = `${endpoint} did not answer within ${timeoutMs} ms`
    return new HaError('unresponsive', message, { endpoint, retryable: true })
  }
}

function answerOf(probe: BackgroundRequest<ProbeAnswer> | undefined): ProbeAnswer | undefined {
  return probe?.answer.kind === 'answered' ? probe.answer.value : undefined
}

/** The state of a request to a server. */
type RequestState<R> =
  | { readonly kind: 'pending' }
  | { readonly kind: 'answered'; readonly value: R }
  | { readonly kind: 'failed'; readonly error: Error }

/** A request whose state is polled instead of awaited. `end()` abandons it. */
class BackgroundRequest<R> {
  readonly #scope: LinkedController
  #answer: RequestState<R> = { kind: 'pending' }

  constructor(request: (signal: AbortSignal) => Promise<R>, changed: Notifier, parent: AbortSignal) {
    this.#scope = linkedController(parent)
    const settle = (answer: RequestState<R>): void => {
      this.#answer = answer
      changed.notifyAll()
    }
    request(this.#scope.signal).then(
      (value) => settle({ kind: 'answered', value }),
      (thrown: unknown) => settle({ kind: 'failed', error: asError(thrown) }),
    )
  }

  get answer(): RequestState<R> {
    return this.#answer
  }

  end(): void {
    if (this.#answer.kind === 'pending')
      this.#scope.abort(new HaError('aborted', 'the request was abandoned'))
    else this.#scope.unlink()
  }
}

// Ten ticks in the time of an answer: fine enough to tell our own pauses from those of the server.
const ticksPerAnswer = 10

/**
 * Waits until `settled`, or until `timeoutMs` of active time have passed: a pause of our own event loop does not count
 * against the server. `onHalf` is called half-way.
 */
async function waitForAnswer(
  clock: Clock,
  wait: {
    readonly settled: () => boolean
    readonly changed: Notifier
    readonly timeoutMs: number
    readonly onHalf: () => void
  },
  signal: AbortSignal,
): Promise<boolean> {
  const { settled, changed, timeoutMs, onHalf } = wait
  const tickMs = timeoutMs / ticksPerAnswer
  // Timers are always a little late: only a delay of a whole tick was a pause.
  const activeTime = new ActiveTime(clock, 2 * tickMs)
  let waitedMs = 0
  let hedged = false
  while (!settled() && timeoutMs - waitedMs >= timerGrainMs) {
    const cancel = clock.after(Math.min(tickMs, timeoutMs - waitedMs), () => changed.notifyAll())
    try {
      await changed.wait(signal)
    } finally {
      cancel()
    }
    waitedMs += activeTime.tick()
    if (!hedged && waitedMs >= timeoutMs / 2) {
      hedged = true
      onHalf()
    }
  }
  return settled()
}
