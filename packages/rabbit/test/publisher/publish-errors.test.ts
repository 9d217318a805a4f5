import { describe, expect, it } from 'vitest'
import type { PublishEntry } from '../../src/publisher/message-queue.ts'
import { rejectOffending } from '../../src/publisher/publish-errors.ts'
import { publishEntry } from './publish-entry.ts'

// The texts are those of RabbitMQ 3.10.8 as amqplib reports them.
const closed = (code: number, text: string, method = { classId: 60, methodId: 40 }): Error =>
  Object.assign(new Error(`Channel closed by server: ${code} with message "${text}"`), { code, ...method })

const missing = closed(404, "NOT_FOUND - no exchange 'nope' in vhost '/'")
const refused = closed(
  403,
  "ACCESS_REFUSED - access to exchange 'secret' in vhost '/' refused for user 'guest'",
)
const tooLarge = closed(406, 'PRECONDITION_FAILED - message size 200 is larger than configured max size 100')
const strange = closed(406, 'PRECONDITION_FAILED - something new')

function judge(error: unknown, entries: Partial<PublishEntry>[], comesBack = false) {
  const failed: string[] = []
  const inFlight = entries.map((entry, i) =>
    publishEntry({
      messageId: `m${i}`,
      ...entry,
      reject: ({ code, outcome }) => failed.push(`m${i} ${code} ${outcome}`),
    }),
  )
  return { suspects: rejectOffending(inFlight, error, () => comesBack), failed }
}

describe('when a channel is closed for what was published on it', () => {
  it.each<[string, unknown, Partial<PublishEntry>[], readonly string[]]>([
    [
      'a missing exchange',
      missing,
      [{}, { exchange: 'nope' }, {}, { exchange: 'nope' }],
      ['m1 exchange-missing unknown', 'm3 exchange-missing unknown'],
    ],
    [
      'a missing exchange that one alone was sent to',
      missing,
      [{}, { exchange: 'nope' }, {}],
      ['m1 exchange-missing not-done'],
    ],
    [
      'a missing exchange on a second try: the first may have arrived',
      missing,
      [{ exchange: 'nope', attempts: 2 }],
      ['m0 exchange-missing unknown'],
    ],
    ['a forbidden exchange', refused, [{ exchange: 'secret' }, {}], ['m0 access-refused not-done']],
    [
      'a message too large',
      tooLarge,
      [{}, { content: Buffer.alloc(101) }, { content: Buffer.alloc(100) }],
      ['m1 too-large not-done'],
    ],
    [
      'an internal exchange',
      closed(403, "ACCESS_REFUSED - cannot publish to internal exchange 'inner' in vhost '/'"),
      [{}, { exchange: 'inner' }, {}],
      ['m1 access-refused not-done'],
    ],
    [
      'the user of another connection, which the broker never accepts',
      closed(406, "PRECONDITION_FAILED - user_id property set to 'other' but authenticated user was 'guest'"),
      [{}, { properties: { userId: 'other' }, attempts: 2 }, { properties: { userId: 'other' } }],
      ['m1 access-refused not-done', 'm2 access-refused not-done'],
    ],
    ['one alone in flight, whatever the text', strange, [{}], ['m0 rejected not-done']],
  ])('%s fails exactly the guilty ones', (_, error, entries, expected) => {
    expect(judge(error, entries)).toEqual({ suspects: 0, failed: expected })
  })

  it('suspects all of them when the broker names something that nobody here has sent', () => {
    expect(judge(missing, [{}, {}])).toEqual({ suspects: 2, failed: [] })
    expect(judge(missing, [{}])).toEqual({ suspects: 0, failed: ['m0 exchange-missing not-done'] })
  })

  it('asks once for an exchange, however many were sent to it', () => {
    let asked = 0
    const entries = Array.from({ length: 5 }, () => publishEntry({ exchange: 'nope' }))
    rejectOffending(entries, missing, () => {
      asked += 1
      return true
    })
    expect(asked).toBe(1)
  })

  it('suspects all of them when the broker names nobody', () => {
    expect(judge(strange, [{}, {}, {}])).toEqual({ suspects: 3, failed: [] })
  })

  it('spares what went to an exchange that will be declared again', () => {
    expect(judge(missing, [{ exchange: 'nope' }], true)).toEqual({ suspects: 0, failed: [] })
  })

  it.each<[string, unknown]>([
    ['the connection was lost', new Error('read ECONNRESET')],
    ['another method was refused', closed(404, "no queue 'x' in vhost '/'", { classId: 50, methodId: 10 })],
    ['nothing is known', undefined],
  ])('blames nobody when %s', (_, error) => {
    expect(judge(error, [{}, {}])).toEqual({ suspects: 0, failed: [] })
  })
})
