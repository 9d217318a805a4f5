import { expect, it } from 'vitest'
import { checkFaults } from '../../src/proxy/faults.ts'
import { resolveOptions } from '../../src/proxy/options.ts'
import { startProxy, startServer } from './peers.ts'

/** What a caller without types may write. */
interface Mistake {
  readonly faults: unknown
  readonly message: string
}

const mistakes: readonly Mistake[] = [
  {
    faults: { down: [{ kind: 'latencie', delayMs: 1 }] },
    message: "fault proxy: down[0].kind 'latencie' is no fault; did you mean 'latency'?",
  },
  { faults: { up: [{ kind: 'latency', delay: 1 }] }, message: "fault proxy: up[0] (latency) has no 'delay'" },
  {
    faults: { up: [{ kind: 'latency' }] },
    message:
      'fault proxy: up[0].delayMs (latency) is undefined, expected a number of milliseconds, 0 or more',
  },
  {
    faults: { up: [{ kind: 'latency', delayMs: -1 }] },
    message: 'fault proxy: up[0].delayMs (latency) is -1, expected a number of milliseconds, 0 or more',
  },
  {
    faults: { up: [{ kind: 'latency', delayMs: Number.NaN }] },
    message: 'fault proxy: up[0].delayMs (latency) is NaN, expected a number of milliseconds, 0 or more',
  },
  {
    faults: { up: [{ kind: 'bandwidth', bytesPerSecond: 0 }] },
    message:
      'fault proxy: up[0].bytesPerSecond (bandwidth) is 0, expected a whole number of bytes, 1 or more',
  },
  {
    faults: { up: [{ kind: 'cut', how: 'fin' }] },
    message: "fault proxy: up[0].how (cut) is fin, expected 'end' or 'close' or 'reset'",
  },
  {
    faults: { up: [{ kind: 'slice', minBytes: 3, maxBytes: 2 }] },
    message: 'fault proxy: up[0].minBytes (slice) is 3, more than its maxBytes 2',
  },
  {
    faults: { up: [{ kind: 'corrupt', afterBytes: 0, xor: 0 }] },
    message: 'fault proxy: up[0].xor (corrupt) is 0, expected the bits to turn, 1 to 255',
  },
  {
    faults: { up: [{ kind: 'half-open' }, { kind: 'half-open' }] },
    message: "fault proxy: up[1]: 'half-open' is given twice for one direction",
  },
  { faults: { both: [] }, message: "fault proxy: faults have no 'both', only 'up' and 'down'" },
]

it.each(mistakes)('refuses: $message', ({ faults, message }) => {
  expect(() => checkFaults(faults as never)).toThrowError(
    expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(message) }),
  )
})

it('takes every fault at its smallest', () => {
  const up = [
    { kind: 'latency', delayMs: 0 },
    { kind: 'bandwidth', bytesPerSecond: 1 },
    { kind: 'blackhole', how: 'discard', afterBytes: 0 },
    { kind: 'cut', how: 'end', afterMs: 0 },
    { kind: 'half-open' },
    { kind: 'slow-close', delayMs: 0 },
    { kind: 'slice', maxBytes: 1 },
    { kind: 'coalesce', minBytes: 1, maxWaitMs: 0 },
    { kind: 'corrupt', afterBytes: 0 },
    { kind: 'duplicate', afterBytes: 0 },
  ] as const
  expect(() => checkFaults({ up })).not.toThrow()
})

it('changes nothing when one of the faults is wrong', async () => {
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  expect(() => proxy.set({ up: [{ kind: 'half-open' }], down: [{ kind: 'latency', delayMs: -1 }] })).toThrow()
  expect(proxy.faults).toEqual({ up: [], down: [] })
})

it.each([
  { options: { to: { host: '127.0.0.1', port: 0 } }, message: 'to.port is 0, expected a port, 1 to 65535' },
  {
    options: { to: { host: '127.0.0.1', port: 1 }, listen: { host: '127.0.0.1', port: 70_000 } },
    message: 'listen.port is 70000, expected a port, 0 to 65535',
  },
  {
    options: { to: { host: '127.0.0.1', port: 1 }, seed: 0.5 },
    message: 'seed is 0.5, expected a whole number',
  },
  {
    options: { to: { host: '127.0.0.1', port: 1 }, maxHeldBytes: 0 },
    message: 'maxHeldBytes is 0, expected a number of bytes, 1 or more',
  },
])('refuses: $message', ({ options, message }) => {
  expect(() => resolveOptions(options)).toThrowError(
    expect.objectContaining({ code: 'config-invalid', message: `fault proxy: ${message}` }),
  )
})
