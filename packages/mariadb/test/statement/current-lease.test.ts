import type { Lease } from '@ha/core'
import { describe, expect, it } from 'vitest'
import type { MariadbConnection } from '../../src/driver/connection.ts'
import { CurrentLease } from '../../src/statement/operation-runner.ts'

function lease(): Lease<MariadbConnection> {
  return {} as Lease<MariadbConnection>
}

describe('what a caller holds', () => {
  it('is the lease of the callback that it is called from, also behind an await', async () => {
    const holding = new CurrentLease()
    const outer = lease()
    const inside = holding.run(outer, async () => {
      await Promise.resolve()
      return holding.lease
    })
    expect(holding.lease).toBeUndefined()
    expect(await inside).toBe(outer)
  })

  it('is the innermost of its own client, whatever it holds of another', async () => {
    const [orders, stock] = [new CurrentLease(), new CurrentLease()]
    const [first, other, second] = [lease(), lease(), lease()]
    const seen = await orders.run(first, () =>
      stock.run(other, async () => [
        orders.lease,
        stock.lease,
        await orders.run(second, async () => orders.lease),
      ]),
    )
    expect(seen).toEqual([first, other, second])
    expect(seen[0]).toBe(first)
    expect(seen[2]).toBe(second)
  })

  it('is not handed on to calls that are begun outside', async () => {
    const holding = new CurrentLease()
    const [one, two] = [lease(), lease()]
    const seen = await Promise.all([one, two].map((each) => holding.run(each, async () => holding.lease)))
    expect(seen[0]).toBe(one)
    expect(seen[1]).toBe(two)
  })
})
