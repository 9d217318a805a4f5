import assert from 'node:assert/strict'
import type { PoolDriver } from '../driver.ts'
import {
  aborted,
  type ContractClauses,
  type DriverHarness,
  during,
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
  /** Leaves state behind that the next caller must not see; resolves when it is there. */
  makeDirty(connection: C): Promise<void>
  /** Whether the connection is in the state that every caller expects. */
  isClean(connection: C): Promise<boolean>
}

/**
 * The contract of a pool driver beside that of every driver, as tests: registered with `test`, each with a harness of
 * its own from `make`. `answerMs` is the duration of the slowest answer of a living server.
 */
export function poolDriverContract<C, R>(
  test: Register,
  make: () => Promise<PoolDriverHarness<C, R>>,
  { answerMs }: { readonly answerMs: number },
): void {
  register(test, make, { ...readClauses<C, R>(), ...reuseClauses<C, R>() }, answerMs)
}

const never = new AbortController().signal

function readClauses<C, R>(): ContractClauses<PoolDriverHarness<C, R>> {
  return {
    'reads the status of the server, and again over the same connection': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      assert.ok(await during(harness, answerMs, harness.driver.read(connection, never)))
      assert.ok(await during(harness, answerMs, harness.driver.read(connection, never)))
    },
    'gets no status from a frozen server, and settles when the read is aborted': async (
      harness,
      answerMs,
    ) => {
      const connection = await opened(harness, answerMs)
      await harness.freeze()
      await aborted(harness, answerMs, (signal) => harness.driver.read(connection, signal))
      harness.driver.destroy(connection)
    },
    'rejects a read when the connection is lost': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      await harness.kill()
      const reading = outcome(harness.driver.read(connection, never))
      const result = await during(harness, answerMs, reading)
      assert.equal(result.kind, 'rejected')
      assert.notEqual(harness.driver.classify(result.error).scope, 'call')
    },
  }
}

function reuseClauses<C, R>(): ContractClauses<PoolDriverHarness<C, R>> {
  return {
    'reuses a new connection without a reset': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      assert.equal(harness.driver.reusable(connection), true)
      await during(harness, answerMs, renewed(harness, connection))
      assert.equal(await harness.isClean(connection), true)
    },
    'does not reuse a connection on which something is under way': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      harness.occupy(connection)
      assert.equal(harness.driver.reusable(connection), false)
      harness.driver.destroy(connection)
    },
    'does not reuse a connection that has ended': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      harness.driver.destroy(connection)
      assert.equal(harness.driver.reusable(connection), false)
    },
    'resets what a caller left behind, or does not reuse the connection': async (harness, answerMs) => {
      const connection = await opened(harness, answerMs)
      await during(harness, answerMs, harness.makeDirty(connection))
      if (!harness.driver.reusable(connection)) return
      await during(harness, answerMs, renewed(harness, connection))
      assert.equal(await during(harness, answerMs, harness.isClean(connection)), true)
    },
    'gets no answer to a reset from a frozen server, and settles when it is aborted': async (
      harness,
      answerMs,
    ) => {
      const connection = await opened(harness, answerMs)
      await during(harness, answerMs, harness.makeDirty(connection))
      await harness.freeze()
      await aborted(harness, answerMs, (signal) => {
        const renewal = harness.driver.renew(connection, signal)
        assert.ok(renewal, 'a connection with state left behind needs a reset')
        return renewal
      })
      harness.driver.destroy(connection)
    },
  }
}

async function renewed<C, R>({ driver }: PoolDriverHarness<C, R>, connection: C): Promise<void> {
  await driver.renew(connection, never)
}
