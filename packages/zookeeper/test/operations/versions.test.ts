import { expect, it } from 'vitest'
import { type LostWrite, lostWriteOutcome } from '../../src/recipes/counter.ts'
import { openClientHarness, settledWithin } from '../client-harness.ts'

const last = 2_147_483_647

it('a node goes on with a negative version after the highest one', async () => {
  await using harness = await openClientHarness({ firstVersion: last })
  const zk = harness.client()
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 2_000, work)
  await within(zk.create('/a', 'first'))

  expect((await within(zk.set('/a', 'second', { version: last }))).version).toBe(-last - 1)
  expect((await within(zk.set('/a', 'third', { version: -last - 1 }))).version).toBe(-last)
  await expect(within(zk.set('/a', 'x', { version: 7 }))).rejects.toMatchObject({ code: 'bad-version' })
  await within(zk.multi([{ kind: 'check', path: '/a', version: -last }]))
  expect(await within(zk.delete('/a', { version: -last }))).toBe(true)
})

it('a counter goes on through the highest version', async () => {
  await using harness = await openClientHarness({ firstVersion: last - 1 })
  const counter = harness.client().counter('/c')
  const sums: number[] = []
  for (let n = 0; n < 4; n++) sums.push(await settledWithin(harness.clock, 2_000, counter.add(1)))

  expect(sums).toEqual([1, 2, 3, 4])
})

it('a node whose version is -1, which the servers take for any, is written and deleted at that version only', async () => {
  await using harness = await openClientHarness({ firstVersion: -2 })
  const zk = harness.client()
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 2_000, work)
  await within(zk.create('/a', 'first'))

  await expect(within(zk.set('/a', 'x', { version: -1 }))).rejects.toMatchObject({
    code: 'bad-version',
    outcome: 'not-done',
    path: '/a',
  })
  await expect(within(zk.delete('/a', { version: -1 }))).rejects.toMatchObject({ code: 'bad-version' })
  expect((await within(zk.get('/a')))?.data.toString()).toBe('first')
  expect((await within(zk.set('/a', 'second', { version: -2 }))).version).toBe(-1)
  expect((await within(zk.set('/a', 'third', { version: -1 }))).version).toBe(0)
  expect((await within(zk.get('/a')))?.data.toString()).toBe('third')
  await within(zk.create('/b'))
  await within(zk.set('/b', 'x'))
  expect(await within(zk.delete('/b', { version: -1 }))).toBe(true)
  expect(await within(zk.exists('/b'))).toBeUndefined()
})

it('a counter goes on through the version -1', async () => {
  await using harness = await openClientHarness({ firstVersion: -3 })
  const counter = harness.client().counter('/c')
  const sums: number[] = []
  for (let n = 0; n < 5; n++) sums.push(await settledWithin(harness.clock, 2_000, counter.add(1)))

  expect(sums).toEqual([1, 2, 3, 4, 5])
})

it('a write of a counter without an answer is recognized as refused across the overflow', () => {
  const lost: LostWrite = { czxid: 1n, version: last }
  const now = { value: 3, mark: 'theirs', czxid: 1n, version: -last - 1 }

  expect(lostWriteOutcome(lost, 'ours', now)).toBe('refused')
})

it.each([1.5, 2_147_483_648, -2_147_483_649, Number.NaN, '3', null])('%s is no version', async (version) => {
  await using harness = await openClientHarness()
  const zk = harness.client()

  await expect(zk.set('/a', '', { version } as never)).rejects.toMatchObject({ code: 'config-invalid' })
})

it.each(['check', 'set', 'delete'])(
  'a %s in a multi cannot require the version -1, and says why',
  async (kind) => {
    await using harness = await openClientHarness()
    const change = { kind, path: '/a', data: '', version: -1 } as never

    await expect(harness.client().multi([change])).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringMatching(/multi\[0\]\.version: the servers take -1 for any version/),
    })
  },
)
