import assert from 'node:assert/strict'
import type { PoolDriver } from '../driver.ts'
import {
  type Clauses,
  type DriverHarness,
  during,
  givenUp,
  opened,
  outcome,
  type Register,
  register,
} from './driver-contract.ts'

/** A server under the driver of a pool, and what a test can do to a connection. */
export interface PoolDriverHarness<C, R> extends DriverHarness<C> {
  readonly driver: PoolDriver<C, R>
  /** Begins something on the connection that does not end within the test. */
  occupy(connection: C): void
  /** Leaves something behind that the next borrower must not find; resolves when it is there. */
  stain(connection: C): Promise<void>
  /** Whether the connection is as every borrower expects it. */
  isClean(connection: C): Promise<boolean>
}

/**
 * What the driver of a pool must do beside what every driver must, as tests: registered through `test`, each on a
 * harness of its own made by `make`. `answerMs` is how long the slowest answer of a living server may take.
 */
export function poolDriverContract<C, R>(
  test: Register,
  make: () => Promise<PoolDriverHarness<C, R>>,
  { answerMs }: { readonly answerMs: number },
): void {
  register(test, make, { ...readClauses<C, R>(), ...lendClauses<C, R>() }, answerMs)
}

const never = new AbortController().signal

function readClauses<C, R>(): Clauses<PoolDriverHarness<C, R>> {
  return {
    'reads what the server says of itself, and again over the same connection': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      assert.ok(await during(harness, answerMs, harness.driver.read(connection, never)))
      assert.ok(await during(harness, answerMs, harness.driver.read(connection, never)))
    },
    'reads in vain from a frozen server, and settles when the reading is given up': async (
      harness,
      answerMs,
    ) => {
      const connection = await opened(harness, answerMs)
      await harness.freeze()
      await givenUp(harness, answerMs, (signal) => harness.driver.read(connection, signal))
      harness.driver.destroy(connection)
    },
    'rejects a reading when the connection is lost': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      await harness.kill()
      const reading = outcome(harness.driver.read(connection, never))
      const result = await during(harness, answerMs, reading)
      assert.equal(result.kind, 'rejected')
      assert.notEqual(harness.driver.classify(result.error).scope, 'call')
    },
  }
}

function lendClauses<C, R>(): Clauses<PoolDriverHarness<C, R>> {
  return {
    'lends a new connection again, and has nothing to renew on it': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      assert.equal(harness.driver.reusable(connection), true)
      await during(harness, answerMs, renewed(harness, connection))
      assert.equal(await harness.isClean(connection), true)
    },
    'does not lend a connection again on which something is under way': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      harness.occupy(connection)
      assert.equal(harness.driver.reusable(connection), false)
      harness.driver.destroy(connection)
    },
    'does not lend a connection again that is over': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      harness.driver.destroy(connection)
      assert.equal(harness.driver.reusable(connection), false)
    },
    'takes away what a borrower left behind, or does not lend it again': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      await during(harness, answerMs, harness.stain(connection))
      if (!harness.driver.reusable(connection)) return
      await during(harness, answerMs, renewed(harness, connection))
      assert.equal(await during(harness, answerMs, harness.isClean(connection)), true)
    },
    'renews in vain while the server is frozen, and settles when it is given up': async (
      harness,
      answerMs,
    ) => {
      const connection = await opened(harness, answerMs)
      await during(harness, answerMs, harness.stain(connection))
      await harness.freeze()
      await givenUp(harness, answerMs, (signal) => {
        const renewal = harness.driver.renew(connection, signal)
        assert.ok(renewal, 'a stained connection needs to be renewed')
        return renewal
      })
      harness.driver.destroy(connection)
    },
  }
}

async function renewed<C, R>({ driver }: PoolDriverHarness<C, R>, connection: C): Promise<void> {
  await driver.renew(connection, never)
}
