import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkReserved, portBlocks, portsPerLab } from '../../src/model/network.ts'

test('the same seed tries the same blocks in the same order', () => {
  expect(portBlocks('/labs/a')).toEqual(portBlocks('/labs/a'))
})

test('different seeds begin at different blocks', () => {
  const firsts = Array.from({ length: 20 }, (_, i) => portBlocks(`/labs/${i}`)[0])

  expect(new Set(firsts).size).toBeGreaterThan(15)
})

test('blocks never overlap and stay below the ports of outgoing connections', () => {
  fc.assert(
    fc.property(fc.string(), (seed) => {
      const blocks = [...portBlocks(seed)].sort((a, b) => a - b)

      expect(blocks[0]).toBeGreaterThan(1024)
      expect((blocks.at(-1) ?? 0) + portsPerLab).toBeLessThanOrEqual(32_768)
      expect(blocks.every((first, i) => i === 0 || first - (blocks[i - 1] ?? 0) >= portsPerLab)).toBe(true)
    }),
  )
})

test('a port that another lab has for itself is refused with the name of that lab', () => {
  const reserved = new Map([[21_002, 'shop']])

  expect(() => checkReserved([21_001, 21_002], reserved)).toThrow("port 21002 belongs to the lab 'shop'")
  expect(() => checkReserved([21_001], reserved)).not.toThrow()
})
