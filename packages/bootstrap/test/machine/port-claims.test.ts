import { expect, onTestFinished, test } from 'vitest'
import { areClaimedByLab, claimPorts, type PortClaimant } from '../../src/machine/ports.ts'

// Outside of the blocks that labs choose.
const block = (first: number): readonly number[] => [first, first + 1]

async function claimed(claimant: PortClaimant, ports: readonly number[]): Promise<boolean> {
  const claim = await claimPorts(claimant, ports)
  onTestFinished(() => claim?.release())
  return claim !== undefined
}

test('ports are claimed by one start at a time', async () => {
  expect(await claimed('start', block(50_000))).toBe(true)
  expect(await claimed('start', block(50_000))).toBe(false)
  expect(await claimed('start', block(50_100))).toBe(true)
})

test('a claim that is released can be had by the next start', async () => {
  const claim = await claimPorts('start', block(50_200))
  claim?.release()
  await expect.poll(() => claimed('start', block(50_200))).toBe(true)
})

test('one port in common is enough, also when ports were chosen by hand', async () => {
  expect(await claimed('start', [50_310, 50_350])).toBe(true)
  expect(await claimed('start', [50_349])).toBe(false)
})

test('the claim of a lab does not prevent its own start, and is seen by others', async () => {
  expect(await areClaimedByLab(block(50_400))).toBe(false)
  expect(await claimed('start', block(50_400))).toBe(true)
  expect(await claimed('lab', block(50_400))).toBe(true)
  expect(await areClaimedByLab(block(50_400))).toBe(true)
})
