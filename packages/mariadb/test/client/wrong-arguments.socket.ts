import { expect, it } from 'vitest'
import type { Mariadb, Transaction } from '../../src/index.ts'
import { galeraHarness } from './harness.ts'

// As from plain JavaScript, where no compiler checks the arguments.
type Untyped = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>

const values = [undefined, null, Number.NaN, '', 5, {}, []]

function misuses(db: Mariadb, tx: Transaction): readonly (() => unknown)[] {
  const client = db as unknown as Untyped
  const transaction = tx as unknown as Untyped
  const statements = ['query', 'execute', 'batch'].flatMap((name) =>
    values.flatMap((value) => [
      () => client[name]?.(value),
      () => client[name]?.('SELECT ?', value),
      () => transaction[name]?.(value),
      () => transaction[name]?.('SELECT ?', value),
    ]),
  )
  const callbacks = ['transaction', 'readOnly', 'session'].flatMap((name) =>
    values.map((value) => () => client[name]?.(value)),
  )
  return [...statements, ...callbacks, ...values.map((value) => () => transaction['savepoint']?.(value))]
}

it('refuses wrong arguments of every call before anything is sent', async () => {
  const { db, cluster } = await galeraHarness()
  await db.transaction(async (tx) => {
    const accepted = cluster.accepted
    const sent = cluster.log.count({})
    const ends: unknown[] = []
    for (const call of misuses(db, tx))
      ends.push(
        await Promise.resolve()
          .then(call)
          .catch((thrown: unknown) => thrown),
      )
    for (const end of ends)
      expect(end).toMatchObject({ name: 'MariadbError', code: 'config-invalid', outcome: 'not-done' })
    // The monitor goes on asking; no call added anything to what it sends.
    expect(cluster.accepted).toBe(accepted)
    expect(cluster.log.count({ sql: /SELECT \?/ })).toBe(0)
    expect(sent).toBeGreaterThan(0)
  })
})
