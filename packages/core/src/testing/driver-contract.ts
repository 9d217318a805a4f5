import assert from 'node:assert/strict'
import type { Endpoint } from '../address/endpoint.ts'
import type { ConnectionSignal, Driver } from '../driver.ts'

/**
 * What every driver must do, as tests: registered through `test`, each on a harness of its own made by `make`.
 * `answerMs` is how long the slowest answer of a living server may take.
 */
export function driverContract<C>(
  test: Register,
  make: () => Promise<DriverHarness<C>>,
  { answerMs }: { readonly answerMs: number },
): void {
  register(test, make, { ...lifeClauses<C>(), ...watchClauses<C>(), ...answerClauses<C>() }, answerMs)
}

function lifeClauses<C>(): Clauses<DriverHarness<C>> {
  return {
    'opens a connection and closes it politely': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      assert.equal(await harness.connections(), 1)
      await during(harness, answerMs, harness.driver.close(connection))
      assert.equal(await harness.connections(), 0)
    },
    'destroys at once, and a second time without complaint': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      harness.driver.destroy(connection)
      harness.driver.destroy(connection)
      await harness.pass(answerMs)
      assert.equal(await harness.connections(), 0)
    },
    'leaves nothing open when a dial is given up': async (harness, answerMs) => {
      await harness.freeze()
      await givenUp(harness, answerMs, (signal) => harness.driver.open(harness.endpoint, signal))
      assert.equal(await harness.connections(), 0)
    },
    'rejects a dial to a dead server, as something to retry elsewhere': async (harness, answerMs) => {
      await harness.kill()
      const dial = outcome(harness.driver.open(harness.endpoint, new AbortController().signal))
      const result = await during(harness, answerMs, dial)
      assert.equal(result.kind, 'rejected')
      const { scope, transient, effect } = harness.driver.classify(result.error)
      assert.deepEqual({ scope, transient, effect }, { scope: 'endpoint', transient: true, effect: 'none' })
    },
  }
}

function watchClauses<C>(): Clauses<DriverHarness<C>> {
  return {
    'reports a loss exactly once': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      const heard: ConnectionSignal[] = []
      harness.driver.watch(connection, (signal) => heard.push(signal))
      await harness.kill()
      await harness.pass(answerMs)
      assert.deepEqual(
        heard.map((signal) => signal.kind),
        ['lost'],
      )
    },
    'reports a loss to one who begins to watch too late': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      await harness.kill()
      await harness.pass(answerMs)
      const heard: ConnectionSignal[] = []
      harness.driver.watch(connection, (signal) => heard.push(signal))
      await harness.pass(answerMs)
      assert.deepEqual(
        heard.map((signal) => signal.kind),
        ['lost'],
      )
    },
    'says nothing after it was told not to watch': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      const heard: ConnectionSignal[] = []
      harness.driver.watch(connection, (signal) => heard.push(signal))()
      await harness.kill()
      await harness.pass(answerMs)
      assert.deepEqual(heard, [])
    },
  }
}

function answerClauses<C>(): Clauses<DriverHarness<C>> {
  return {
    'hears an answer to a probe': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      const before = harness.driver.received(connection)
      await during(harness, answerMs, harness.driver.probe(connection, new AbortController().signal))
      assert.ok(harness.driver.received(connection) > before)
      harness.driver.destroy(connection)
    },
    'gets no answer to a probe from a frozen server, and settles when it is given up': async (
      harness,
      answerMs,
    ) => {
      const connection = await opened(harness, answerMs)
      await harness.freeze()
      const before = harness.driver.received(connection)
      await givenUp(harness, answerMs, (signal) => harness.driver.probe(connection, signal))
      assert.equal(harness.driver.received(connection), before)
      harness.driver.destroy(connection)
    },
    'knocks at a living server and leaves nothing open': async (harness, answerMs) => {
      await during(
        harness,
        answerMs,
        harness.driver.probeEndpoint(harness.endpoint, new AbortController().signal),
      )
      await harness.pass(answerMs)
      assert.equal(await harness.connections(), 0)
    },
    'knocks in vain at a frozen server, and settles when it is given up': async (harness, answerMs) => {
      await harness.freeze()
      await givenUp(harness, answerMs, (signal) => harness.driver.probeEndpoint(harness.endpoint, signal))
    },
    'has a verdict for whatever may be thrown': async (harness) => {
      for (const thrown of [undefined, null, 'text', 7, {}, new Error('strange')]) {
        assert.ok(harness.driver.classify(thrown).scope)
      }
    },
  }
}

/** A server under a driver, and what a test can do to it. */
export interface DriverHarness<C> {
  readonly driver: Driver<C>
  readonly endpoint: Endpoint
  /** It takes connections and answers nothing, on old ones and new ones. */
  freeze(): Promise<void>
  /** It dies: its connections break and new ones are refused. */
  kill(): Promise<void>
  /** How many connections the server holds. */
  connections(): Promise<number>
  /** Lets time pass, in the harness's own time. */
  pass(ms: number): Promise<void>
  /** Ends everything. */
  dispose(): Promise<void>
}

/** How the suite registers its tests: `test` of Vitest or of `node:test`. */
export type Register = (name: string, body: () => Promise<void>) => void

type Clause<H> = (harness: H, answerMs: number) => Promise<void>

/** What must hold, by its sentence. */
export type Clauses<H> = Readonly<Record<string, Clause<H>>>

/** Registers each clause as a test with a harness of its own. */
export function register<H extends { dispose(): Promise<void> }>(
  test: Register,
  make: () => Promise<H>,
  clauses: Clauses<H>,
  answerMs: number,
): void {
  for (const [name, body] of Object.entries(clauses)) {
    test(name, async () => {
      const harness = await make()
      try {
        await body(harness, answerMs)
      } finally {
        await harness.dispose()
      }
    })
  }
}

/** How a promise ended. */
type Settled<T> =
  | { readonly kind: 'fulfilled'; readonly value: T }
  | { readonly kind: 'rejected'; readonly error: unknown }

/** How the work ends, as a value. */
export function outcome<T>(promise: Promise<T>): Promise<Settled<T>> {
  return promise.then(
    (value) => ({ kind: 'fulfilled', value }),
    (error: unknown) => ({ kind: 'rejected', error }),
  )
}

/** A connection of the harness's server. */
export async function opened<C>(harness: DriverHarness<C>, answerMs: number): Promise<C> {
  return during(harness, answerMs, harness.driver.open(harness.endpoint, new AbortController().signal))
}

/** Gives work up that a frozen server does not answer: it must settle then. */
export async function givenUp<C>(
  harness: DriverHarness<C>,
  answerMs: number,
  work: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const controller = new AbortController()
  const result = outcome(work(controller.signal))
  await harness.pass(answerMs)
  controller.abort(new Error('given up'))
  assert.equal((await during(harness, answerMs, result)).kind, 'rejected')
}

/** Lets the harness's time pass until the work has settled; one that never does fails the test, it does not hang it. */
export async function during<C, T>(
  harness: DriverHarness<C>,
  answerMs: number,
  work: Promise<T>,
): Promise<T> {
  let settled = false
  const done = work.finally(() => {
    settled = true
  })
  done.catch(() => undefined)
  for (let waits = 0; !settled && waits < 50; waits++) await harness.pass(answerMs / 10)
  assert.ok(settled, `not settled within ${answerMs * 5} ms`)
  return done
}
