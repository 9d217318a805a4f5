import { expect, test } from 'vitest'
import { zookeeperTimers } from '../../src/zookeeper/model.ts'

test.each([
  [null, { tickMs: 2000, initLimit: 10, syncLimit: 5, connectMs: 5000 }],
  [500, { tickMs: 250, initLimit: 10, syncLimit: 2, connectMs: 500 }],
  [1000, { tickMs: 500, initLimit: 10, syncLimit: 2, connectMs: 1000 }],
  [5000, { tickMs: 2500, initLimit: 10, syncLimit: 2, connectMs: 5000 }],
])('a server may be silent for %d ms: %j', (detectMs, timers) => {
  expect(zookeeperTimers(detectMs)).toEqual(timers)
})
