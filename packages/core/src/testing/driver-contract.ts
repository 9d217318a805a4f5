import assert from 'node:assert/strict'
import type { Endpoint } from '../address/endpoint.ts'
import type { ConnectionSignal, Driver } from '../driver.ts'

/**
 * The contract of every driver, as tests: registered with `test`, each with a harness of its own from `make`. `answerMs`
 * is the duration of the slowest answer of a living server.
 */
export function driverContract<C>(
  test: Register,
  make: () => Promise<DriverHarness<C>>,
  { answerMs }: { readonly answerMs: number },
): void {
  register(test, make, { ...lifeClauses<C>(), ...watchClauses<C>(), ...answerClauses<C>() }, answerMs)
}

function lifeClauses<C>(): ContractClauses<DriverHarness<C>> {
  return {
    'opens a connection and closes it politely': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      assert.equal(await harness.connections(), 1)
      await during(harness, answerMs, harness.driver.close(connection))
      assert.equal(await harness.connections(), 0)
    },
    'destroys at once, also a second time': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      harness.driver.destroy(connection)
      harness.driver.destroy(connection)
      await harness.pass(answerMs)
      assert.equal(await harness.connections(), 0)
    },
    'leaves nothing open when a dial is aborted': async (harness, answerMs) => {
      await harness.freeze()
      await aborted(harness, answerMs, (signal) => harness.driver.open(harness.endpoint, signal))
      assert.equal(await harness.connections(), 0)
    },
    'rejects a dial to a dead server as an error to retry elsewhere': async (harness, answerMs) => {
      await harness.kill()
      const dial = outcome(harness.driver.open(harness.endpoint, new AbortController().signal))
      const result = await during(harness, answerMs, dial)
      assert.equal(result.kind, 'rejected')
      const { scope, transient, effect } = harness.driver.classify(result.error)
      assert.deepEqual({ scope, transient, effect }, { scope: 'endpoint', transient: true, effect: 'none' })
    },
  }
}

function watchClauses<C>(): ContractClauses<DriverHarness<C>> {
  return {
    'reports a loss exactly once': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      const reported: ConnectionSignal[] = []
      harness.driver.watch(connection, (signal) => reported.push(signal))
      await harness.kill()
      await harness.pass(answerMs)
      assert.deepEqual(
        reported.map((signal) => signal.kind),
        ['lost'],
      )
    },
    'reports a loss that happened before watch()': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      await harness.kill()
      await harness.pass(answerMs)
      const reported: ConnectionSignal[] = []
      harness.driver.watch(connection, (signal) => reported.push(signal))
      await harness.pass(answerMs)
      assert.deepEqual(
        reported.map((signal) => signal.kind),
        ['lost'],
      )
    },
    'reports nothing after watching has ended': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      const reported: ConnectionSignal[] = []
      harness.driver.watch(connection, (signal) => reported.push(signal))()
      await harness.kill()
      await harness.pass(answerMs)
      assert.deepEqual(reported, [])
    },
  }
}

function answerClauses<C>(): ContractClauses<DriverHarness<C>> {
  return {
    'gets an answer to a probe': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      const before = harness.driver.received(connection)
      await during(harness, answerMs, harness.driver.probe(connection, new AbortController().signal))
      assert.ok(harness.driver.received(connection) > before)
      harness.driver.destroy(connection)
    },
    'gets no answer to a probe from a frozen server, and settles when it is aborted': async (
      harness,
      answerMs,
    ) => {
      const connection = await opened(harness, answerMs)
      await harness.freeze()
      const before = harness.driver.received(connection)
      await aborted(harness, answerMs, (signal) => harness.driver.probe(connection, signal))
      assert.equal(harness.driver.received(connection), before)
      harness.driver.destroy(connection)
    },
    'probes the endpoint of a living server and leaves nothing open': async (harness, answerMs) => {
      await during(
        harness,
        answerMs,
        harness.driver.probeEndpoint(harness.endpoint, new AbortController().signal),
      )
      await harness.pass(answerMs)
      assert.equal(await harness.connections(), 0)
    },
    'gets no answer from the endpoint of a frozen server, and settles when it is aborted': async (
      harness,
      answerMs,
    ) => {
      await harness.freeze()
      await aborted(harness, answerMs, (signal) => harness.driver.probeEndpoint(harness.endpoint, signal))
    },
    'has a verdict for any thrown value': async (harness) => {
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
  /** The server accepts connections and answers nothing, on old and new ones. */
  freeze(): Promise<void>
  /** The server dies: its connections break and new ones are refused. */
  kill(): Promise<void>
  /** The number of connections that the server has. */
  connections(): Promise<number>
  /** Lets time pass, on the clock of the harness. */
  pass(ms: number): Promise<void>
  /** Ends everything. */
  dispose(): Promise<void>
}

/** Registers a test: `test` of Vitest or of `node:test`. */
export type Register = (name: string, body: () => Promise<void>) => void

type Clause<H> = (harness: H, answerMs: number) => Promise<void>

/** The tests of a contract, by name. */
export type ContractClauses<H> = Readonly<Record<string, Clause<H>>>

/** Registers each clause as a test with a harness of its own. */
export function register<H extends { dispose(): Promise<void> }>(
  test: Register,
  make: () => Promise<H>,
  clauses: ContractClauses<H>,
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

/** The result of a promise. */
type Settled<T> =
  | { readonly kind: 'fulfilled'; readonly value: T }
  | { readonly kind: 'rejected'; readonly error: unknown }

/** The result of a promise as a value. */
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

/** Aborts work that a frozen server does not answer: it must settle then. */
export async function aborted<C>(
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

/** Lets time pass until the work has settled. Work that never settles fails the test instead of hanging it. */
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
