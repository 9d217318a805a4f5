import { expect, test } from 'vitest'
import type { ClientEvent } from '../../src/harness/worker.ts'
import { checkOutages } from '../../src/zookeeper/lost.ts'

const event = (atMs: number, name: string, facts: ClientEvent['facts'] = {}): ClientEvent => ({
  atMs,
  name,
  facts,
})

test('what happens after an outage belongs to it until the next one begins', () => {
  const outages = [
    { frozenAtMs: 100, healedAtMs: 300, isHung: false },
    { frozenAtMs: 500, healedAtMs: 550, isHung: true },
  ]
  const events = [
    event(50, 'session'),
    event(60, 'registered'),
    event(200, 'state', { state: 'lost' }),
    event(320, 'session'),
    event(330, 'registered'),
    event(520, 'state', { state: 'suspended' }),
  ]
  expect(checkOutages(outages, events)).toEqual([
    { lastedMs: 200, lostAfterMs: 100, registeredAfterMs: 10, isHung: false },
    { lastedMs: 50, lostAfterMs: undefined, registeredAfterMs: 0, isHung: true },
  ])
})

test('who has a new session and is not registered again is not back', () => {
  const events = [event(200, 'session')]
  const [only] = checkOutages([{ frozenAtMs: 100, healedAtMs: 150, isHung: false }], events)
  expect(only?.registeredAfterMs).toBeUndefined()
})
