import { describe, expect, it } from 'vitest'
import { type ByteRule, planBytes } from '../../src/server/script.ts'

const at = (byte: number, node?: number): ByteRule => ({
  when: { from: 'server', byte, ...(node === undefined ? {} : { node }) },
})

describe('a stop in a stretch of bytes', () => {
  const stretches: readonly {
    rules: readonly ByteRule[]
    position: number
    length: number
    bytes: number | undefined
  }[] = [
    { rules: [], position: 0, length: 20, bytes: undefined },
    { rules: [at(10)], position: 0, length: 9, bytes: undefined },
    { rules: [at(10)], position: 0, length: 10, bytes: 10 },
    { rules: [at(10)], position: 9, length: 5, bytes: 1 },
    { rules: [at(10)], position: 10, length: 5, bytes: undefined },
    { rules: [at(12), at(10)], position: 5, length: 10, bytes: 5 },
    { rules: [at(10, 2)], position: 0, length: 20, bytes: undefined },
    { rules: [{ when: { from: 'client', byte: 10 } }], position: 0, length: 20, bytes: undefined },
  ]
  it.each(stretches)(
    'lies $bytes bytes into $length behind $position',
    ({ rules, position, length, bytes }) => {
      expect(planBytes(rules, { from: 'server', node: 1, connection: 1, position, length })?.bytes).toBe(
        bytes,
      )
    },
  )
})
