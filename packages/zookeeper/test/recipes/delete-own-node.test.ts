import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Harness, type Member, openHarness } from '../harness.ts'

const noAuth = -102

let harness: Harness
let ours: Member
let defects: string[]

beforeEach(async () => {
  harness = await openHarness()
  ours = harness.member()
  defects = []
  ours.client.events.on('defect', ({ where }) => void defects.push(where))
})
afterEach(() => harness.close())

it('a release that is refused is told once, and its node goes as soon as that is allowed', async () => {
  const lease = await harness.inTime(ours.client.lock('/l').acquire())
  const allow = harness.ensemble.script({
    when: { op: 'delete', path: lease.path },
    do: 'refuse',
    code: noAuth,
  })
  await harness.inTime(lease.release())
  await harness.clock.advance(20_000)
  expect(defects).toEqual([`deleting ${lease.path}`])
  allow()
  await harness.clock.advance(6_000)

  expect(harness.childrenOf('/l')).toEqual([])
})

it('a release that has to wait for a connection is no defect', async () => {
  const lease = await harness.inTime(ours.client.lock('/l').acquire())
  harness.ensemble.script({ when: { op: 'delete', times: 1 }, do: 'cut', how: 'reset', at: 'before' })
  await harness.inTime(lease.release())
  await harness.clock.advance(6_000)

  expect([harness.childrenOf('/l'), defects]).toEqual([[], []])
})

it('a release that the end of the client overtakes is no defect', async () => {
  const lease = await harness.inTime(ours.client.lock('/l').acquire())
  harness.ensemble.script({ when: { op: 'delete' }, do: 'ignore' })
  const releasing = lease.release()
  await harness.clock.advance(100)
  await harness.inTime(Promise.all([releasing, ours.client.close()]))

  expect(defects).toEqual([])
})

it('what somebody writes to time and again is no defect, and goes', async () => {
  const lease = await harness.inTime(ours.client.lock('/l').acquire())
  const badVersion = -103
  harness.ensemble.script({
    when: { op: 'delete', path: lease.path, times: 4 },
    do: 'refuse',
    code: badVersion,
  })
  await harness.inTime(lease.release())
  await harness.clock.advance(6_000)

  expect([harness.childrenOf('/l'), defects]).toEqual([[], []])
})
