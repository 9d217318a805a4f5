import assert from 'node:assert/strict'
import type { Endpoint } from '../address/endpoint.ts'
import type { Driver } from '../driver.ts'

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
export type Settled<T> =
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
