import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { FakeClock } from '@ha/core/testing'
import { expect, it } from 'vitest'
import { Pipe } from '../../src/proxy/pipe.ts'
import { planOf } from '../../src/proxy/plan.ts'

const asSocket = (stream: PassThrough): Socket => stream as unknown as Socket

it('holds no more than so many chunks, however small they are', () => {
  const source = new PassThrough({ highWaterMark: 1_000_000 })
  const pipe = new Pipe(
    {
      source: asSocket(source),
      sink: asSocket(new PassThrough()),
      clock: new FakeClock(),
      maxHeldBytes: 1_000_000,
      seed: 1,
      onEvent: () => undefined,
    },
    planOf([{ kind: 'latency', delayMs: 1000 }]),
  )
  source.resume()
  for (let chunk = 0; chunk < 20_000; chunk++) source.emit('data', Buffer.from('x'))
  expect([pipe.flow.heldBytes, source.isPaused()]).toEqual([20_000, true])
})
