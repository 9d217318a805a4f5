import { AsyncResource } from 'node:async_hooks'
import type { PublishEntry } from '../../src/publisher/message-queue.ts'

/** An accepted message; what a test does not say is of no importance to it. */
export function publishEntry(change: Partial<PublishEntry> = {}): PublishEntry {
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
    scope: new AsyncResource('test'),
    nacks: 0,
    inFlight: false,
    returned: undefined,
    settled: false,
    resolve: () => undefined,
    reject: () => undefined,
    bytes: 0,
    headerBytes: 0,
    unlisten: undefined,
    onSettled: () => undefined,
    ...change,
  }
}
