import { describe, expect, it } from 'vitest'
import { emptyView, type Fact, observe, type View } from '../../src/cluster/cluster-view.ts'
import { type SelectionOrder, select } from '../../src/policy/select.ts'
import { seededRandom } from '../../src/testing/fake-clock.ts'

const [n1, n2, n3] = [1, 2, 3].map((number) => ({ host: `n${number}`, port: 1 })) as [E, E, E]
type E = { readonly host: string; readonly port: number }

const error = new Error('no')

function order(wanted: SelectionOrder, facts: readonly Fact[] = [], random = seededRandom(3)): string {
  let view: View = observe(emptyView, { kind: 'listed', endpoints: [n1, n2, n3], atMs: 0 })
  for (const fact of facts) view = observe(view, fact)
  const plan = select(view, { ...wanted, nowMs: 10_000, penaltyMs: 1_000, random })
  return plan.map((endpoint) => endpoint.host).join(' ')
}

describe('the order in which the endpoints of a pool are tried', () => {
  it('stays with the one that was used last', () => {
    expect(order({ strategy: 'sticky', last: n2 })).toBe('n2 n1 n3')
  })

  it('is as listed while none was used', () => {
    expect(order({ strategy: 'sticky', last: undefined })).toBe('n1 n2 n3')
  })

  it('leaves the one that was used last when it has just failed', () => {
    const blamed: Fact = { kind: 'reported', endpoint: n2, atMs: 9_500, error }
    expect(order({ strategy: 'sticky', last: n2 }, [blamed])).toBe('n1 n3 n2')
  })

  it('comes back to it when that is forgiven', () => {
    const blamed: Fact = { kind: 'reported', endpoint: n2, atMs: 8_000, error }
    expect(order({ strategy: 'sticky', last: n2 }, [blamed])).toBe('n2 n1 n3')
  })

  it('puts the less loaded of two before the other, and the most loaded never first', () => {
    const load = ({ host }: E): number => ({ n1: 9, n2: 5, n3: 0 })[host] ?? 0
    const random = seededRandom(7)
    const firsts = Array.from({ length: 3_000 }, () =>
      order({ strategy: 'least-connections', load }, [], random).slice(0, 2),
    )
    const share = (host: string): number => firsts.filter((first) => first === host).length / firsts.length
    expect(share('n1')).toBe(0)
    // n3 wins both of its three pairs, n2 the pair with n1.
    expect(share('n3')).toBeCloseTo(2 / 3, 1)
    expect(share('n2')).toBeCloseTo(1 / 3, 1)
  })
})
