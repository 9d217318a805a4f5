import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rabbitTimers } from '../../src/rabbitmq/model.ts'

test.each([
  [null, { netTicktimeS: 60, netSetuptimeS: 7, heartbeatS: 60 }],
  [250, { netTicktimeS: 1, netSetuptimeS: 1, heartbeatS: 4 }],
  [1000, { netTicktimeS: 4, netSetuptimeS: 1, heartbeatS: 4 }],
  [1100, { netTicktimeS: 5, netSetuptimeS: 2, heartbeatS: 5 }],
  [5000, { netTicktimeS: 20, netSetuptimeS: 5, heartbeatS: 20 }],
])('a promise of %s ms', (detectMs, timers) => {
  expect(rabbitTimers(detectMs)).toEqual(timers)
})

test('four ticks always fit, and no client is dropped for a pause of eight seconds', () => {
  fc.assert(
    fc.property(fc.integer({ min: 250, max: 60_000 }), (detectMs) => {
      const { netTicktimeS, heartbeatS } = rabbitTimers(detectMs)

      expect(netTicktimeS * 1000).toBeGreaterThanOrEqual(4 * detectMs)
      expect(2 * heartbeatS).toBeGreaterThanOrEqual(8)
    }),
  )
})
