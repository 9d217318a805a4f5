import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { channels, Emitter, type FailoverEvent, failoverEvents } from '@ha/core/driver'
import { expect, it } from 'vitest'
import { HaError } from '../../src/errors/ha-error.ts'
import type { LinkEvents } from '../../src/link/link-report.ts'

it('makes diagnostics channels with a prefix', () => {
  const { laneLost } = channels('ha:test', { laneLost: 'lane-lost' })
  const seen: unknown[] = []
  const listener = (message: unknown): void => {
    seen.push(message)
  }
  expect(laneLost.hasSubscribers).toBe(false)
  subscribe('ha:test:lane-lost', listener)
  expect(laneLost.hasSubscribers).toBe(true)
  laneLost.publish('x')
  unsubscribe('ha:test:lane-lost', listener)
  expect(seen).toEqual(['x'])
})

it('reports the failovers of a link until that is ended', () => {
  const events = new Emitter<LinkEvents<string>>()
  const seen: FailoverEvent[] = []
  const off = failoverEvents({ events }, (event) => seen.push(event))
  const times = { detectMs: 1, dialMs: 2, restoreMs: 3 }
  const [coded, plain] = [new HaError('unresponsive', ''), new Error('x')]
  events.emit('failover', { endpoint: 'a:1', generation: 1, to: 'b:1', error: coded, ...times })
  events.emit('failover', { endpoint: 'b:1', generation: 2, to: 'a:1', error: plain, ...times })
  off()
  events.emit('failover', { endpoint: 'a:1', generation: 3, to: 'b:1', error: plain, ...times })
  expect(seen).toEqual([
    { from: 'a:1', to: 'b:1', cause: 'unresponsive', error: coded, ...times },
    { from: 'b:1', to: 'a:1', cause: 'lost', error: plain, ...times },
  ])
})
