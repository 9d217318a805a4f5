import { expect, test } from 'vitest'
import { type Consumed, checkLog, type Sent } from '../../src/rabbit/message-log.ts'

const sent = (id: number, rest: Partial<Sent> = {}): Sent => ({
  id,
  sentAtMs: id,
  settledAtMs: id + 1,
  outcome: 'confirmed',
  maybeDuplicate: false,
  error: undefined,
  ...rest,
})
const seen = (id: number, redelivered = false): Consumed => ({ id, atMs: id, redelivered })

const fine = {
  sent: 0,
  confirmed: 0,
  lost: 0,
  undelivered: 0,
  notDone: 0,
  unknown: 0,
  unsettled: 0,
  wronglyNotDone: 0,
  announcedDuplicates: 0,
  unannouncedDuplicates: 0,
  handledAgain: 0,
  outOfOrder: 0,
}

test.each([
  ['nothing', [], [], [], {}],
  ['a message confirmed and seen', [sent(1)], [seen(1)], [], { sent: 1, confirmed: 1 }],
  ['one that is lost', [sent(1)], [], [], { sent: 1, confirmed: 1, lost: 1 }],
  ['one never settled', [sent(1, { outcome: 'unsettled' })], [], [], { sent: 1, unsettled: 1 }],
  ['a rejection that is true', [sent(1, { outcome: 'not-done' })], [], [], { sent: 1, notDone: 1 }],
  [
    'a rejection that is not',
    [sent(1, { outcome: 'not-done' })],
    [seen(1)],
    [],
    { sent: 1, notDone: 1, wronglyNotDone: 1 },
  ],
  [
    'stored twice without notice',
    [sent(1)],
    [seen(1), seen(1)],
    [],
    { sent: 1, confirmed: 1, unannouncedDuplicates: 1 },
  ],
  [
    'stored twice as the receipt said',
    [sent(1, { maybeDuplicate: true })],
    [seen(1), seen(1)],
    [],
    { sent: 1, confirmed: 1, announcedDuplicates: 1 },
  ],
  [
    'stored twice by a publish whose outcome was unknown',
    [sent(1, { outcome: 'unknown' })],
    [seen(1), seen(1)],
    [],
    { sent: 1, unknown: 1, announcedDuplicates: 1 },
  ],
  [
    'handled again when the broker handed it out again',
    [sent(1)],
    [seen(1), seen(1, true)],
    [],
    { sent: 1, confirmed: 1, handledAgain: 1 },
  ],
  [
    'out of order',
    [sent(1), sent(2), sent(3)],
    [seen(1), seen(3), seen(2)],
    [],
    { sent: 3, confirmed: 3, outOfOrder: 1 },
  ],
  [
    'in order when a repeat is taken out',
    [sent(1, { maybeDuplicate: true }), sent(2)],
    [seen(1), seen(2), seen(1)],
    [],
    { sent: 2, confirmed: 2, announcedDuplicates: 1 },
  ],
  [
    'one that is still in the queue',
    [sent(1)],
    [],
    [{ id: 1, redelivered: false }],
    { sent: 1, confirmed: 1, undelivered: 1 },
  ],
  [
    'one whose second copy is still in the queue',
    [sent(1)],
    [seen(1)],
    [{ id: 1, redelivered: false }],
    { sent: 1, confirmed: 1, unannouncedDuplicates: 1 },
  ],
  [
    'one whose ack did not arrive before the end',
    [sent(1)],
    [seen(1)],
    [{ id: 1, redelivered: true }],
    { sent: 1, confirmed: 1 },
  ],
] as const)('the ledger of %s', (_, publisher, consumer, left, verdict) => {
  expect(checkLog({ sent: publisher, consumed: consumer }, left)).toEqual({ ...fine, ...verdict })
})
