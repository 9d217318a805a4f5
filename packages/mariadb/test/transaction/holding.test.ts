import type { Lease } from '@ha/core'
import { describe, expect, it } from 'vitest'
import type { MariadbConnection } from '../../src/driver/connection.ts'
import { Holding } from '../../src/transaction/holding.ts'

function lease(): Lease<MariadbConnection> {
  return {} as Lease<MariadbConnection>
}

describe('what a caller holds', () => {
  it('is the lease of the callback that it is called from, also behind an await', async () => {
    const holding = new Holding()
    const outer = lease()
    const inside = holding.during(outer, async () => {
      await Promise.resolve()
      return holding.current
    })
    expect(holding.current).toBeUndefined()
    expect(await inside).toBe(outer)
  })

  it('is the innermost of its own client, whatever it holds of another', async () => {
    const [orders, stock] = [new Holding(), new Holding()]
    const [first, other, second] = [lease(), lease(), lease()]
    const seen = await orders.during(first, () =>
      stock.during(other, async () => [
        orders.current,
        stock.current,
        await orders.during(second, async () => orders.current),
      ]),
    )
    expect(seen).toEqual([first, other, second])
    expect(seen[0]).toBe(first)
    expect(seen[2]).toBe(second)
  })

  it('is not handed on to calls that are begun outside', async () => {
    const holding = new Holding()
    const [one, two] = [lease(), lease()]
    const seen = await Promise.all(
      [one, two].map((each) => holding.during(each, async () => holding.current)),
    )
    expect(seen[0]).toBe(one)
    expect(seen[1]).toBe(two)
  })
})
