import type { Entry } from '../../src/publish/entry.ts'

/** An accepted message; what a test does not say is of no importance to it. */
export function entryOf(change: Partial<Entry> = {}): Entry {
  return {
    sequence: 1,
    messageId: 'm',
    exchange: 'orders',
    key: 'order.new',
    content: Buffer.from('{}'),
    properties: {},
    acceptedAtMs: 0,
    deadlineMs: 60_000,
    repeatable: true,
    attempts: 0,
    inFlight: false,
    returned: undefined,
    settled: false,
    resolve: () => undefined,
    reject: () => undefined,
    bytes: 0,
    unlisten: undefined,
    onSettled: () => undefined,
    ...change,
  }
}
