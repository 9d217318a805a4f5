import { describe, expect, it } from 'vitest'
import { contendersIn } from '../../src/recipes/lock-order.ts'

const mark = '_c_0b5f1a2e-3c4d-4e5f-8a9b-0c1d2e3f4a5b-'

describe('lineOf', () => {
  it('orders by the number of the server, whatever the mark is', () => {
    const names = [`${mark}lock-0000000010`, 'lock-0000000009', `_c_ffff-lock-0000000011`]

    expect(contendersIn(names).map(({ sequence }) => sequence)).toEqual([9, 10, 11])
  })

  it('reads what somebody stands there for, never from the mark', () => {
    const [first] = contendersIn([`_c_0b5f1a2e-3c4d-4e5f-8a9b-abcdef123456-rank12-0000000003`])

    expect(first?.kind).toBe('rank12')
  })

  it('leaves out what is no place in a line', () => {
    expect(contendersIn(['open', 'lock', 'lock-12', '-0000000001', 'Lock-0000000001', ''])).toEqual([])
  })

  it('goes on behind the highest number with the lowest', () => {
    const names = ['lock--2147483648', 'lock-2147483647', 'lock--2147483647', 'lock-2147483646']

    expect(contendersIn(names).map(({ name }) => name)).toEqual([
      'lock-2147483646',
      'lock-2147483647',
      'lock--2147483648',
      'lock--2147483647',
    ])
  })

  // String.format counts the sign among the ten characters.
  it('reads a short negative number as Java writes it', () => {
    expect(contendersIn(['lock--000000001'])).toMatchObject([{ sequence: -1 }])
  })
})
