import assert from 'node:assert/strict'
import type { ConnectionSignal } from '../driver.ts'
import {
  type Clauses,
  type DriverHarness,
  during,
  givenUp,
  opened,
  outcome,
  type Register,
  register,
} from './driver-harness.ts'

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
