import { describe, expect, it } from 'vitest'
import { type Moment, type Planned, planBytes, planFrame, type Step } from '../../src/testing/script/plan.ts'
import type { ByteRule, FrameRule, Rule } from '../../src/testing/script/rule.ts'
import type { Frame } from '../../src/testing/wire/frame.ts'

const ack: Frame = {
  kind: 'method',
  channel: 2,
  method: { name: 'basic.ack', fields: { deliveryTag: 7, multiple: false } },
}
const heartbeat: Frame = { kind: 'heartbeat', channel: 0 }
const fromServer = (frame: Frame): Moment => ({ from: 'server', node: 1, connection: 3, frame })
const pass: Step = { kind: 'pass', publish: undefined }
const cut: Step = { kind: 'cut', how: 'reset' }
const whenAck = { from: 'server', frame: 'basic.ack' } as const

describe('a plan for a frame', () => {
  const matches: readonly { when: FrameRule['when']; matched: boolean }[] = [
    { when: whenAck, matched: true },
    { when: { ...whenAck, from: 'client' }, matched: false },
    { when: { ...whenAck, frame: 'basic.nack' }, matched: false },
    { when: { from: 'server', frame: 'heartbeat' }, matched: false },
    { when: { ...whenAck, channel: 2, connection: 3, node: 1 }, matched: true },
    { when: { ...whenAck, channel: 1 }, matched: false },
    { when: { ...whenAck, connection: 1 }, matched: false },
    { when: { ...whenAck, node: 2 }, matched: false },
    { when: { ...whenAck, fields: { deliveryTag: 7 } }, matched: true },
    { when: { ...whenAck, fields: { deliveryTag: 7, multiple: true } }, matched: false },
  ]
  it.each(matches)('$when matches an ack: $matched', ({ when, matched }) => {
    const { plan } = planFrame([{ when, do: 'drop' }], [], fromServer(ack))
    expect(plan).toEqual(matched ? [] : [pass])
  })

  it('is that a heartbeat passes when the rule is about heartbeats of the other side', () => {
    const rule: Rule = { when: { from: 'client', frame: 'heartbeat' }, do: 'drop' }
    expect(planFrame([rule], [], fromServer(heartbeat)).plan).toEqual([pass])
  })

  const acts: readonly { act: object; plan: readonly object[] }[] = [
    { act: { do: 'delay', delayMs: 5 }, plan: [{ kind: 'wait', delayMs: 5 }, pass] },
    { act: { do: 'hold', until: 'now' }, plan: [{ kind: 'await', name: 'now' }, pass] },
    { act: { do: 'drop' }, plan: [] },
    { act: { do: 'silence' }, plan: [{ kind: 'silence' }] },
    { act: { do: 'silence', at: 'after' }, plan: [pass, { kind: 'silence' }] },
    { act: { do: 'cut', how: 'reset' }, plan: [cut] },
    { act: { do: 'cut', how: 'reset', at: 'after' }, plan: [pass, cut] },
    { act: { do: 'inject', bytes: Buffer.of(1) }, plan: [{ kind: 'inject', bytes: Buffer.of(1) }, pass] },
    {
      act: { do: 'inject', bytes: Buffer.of(1), at: 'after' },
      plan: [pass, { kind: 'inject', bytes: Buffer.of(1) }],
    },
    {
      act: { do: 'close-channel', replyCode: 406, replyText: 'no' },
      plan: [{ kind: 'refuse', scope: 'channel', replyCode: 406, replyText: 'no' }],
    },
    {
      act: { do: 'close-connection', replyCode: 541, replyText: 'no' },
      plan: [{ kind: 'refuse', scope: 'connection', replyCode: 541, replyText: 'no' }],
    },
  ]
  it.each(acts)('$act becomes $plan', ({ act, plan }) => {
    expect(planFrame([{ when: whenAck, ...act } as Rule], [], fromServer(ack)).plan).toEqual(plan)
  })

  it('is made of all rules that match, one inside the other', () => {
    const rules: readonly Rule[] = [
      { when: whenAck, do: 'cut', how: 'reset', at: 'after' },
      { when: whenAck, do: 'delay', delayMs: 5 },
    ]
    expect(planFrame(rules, [], fromServer(ack)).plan).toEqual([{ kind: 'wait', delayMs: 5 }, pass, cut])
  })

  it('skips as many as a rule says, and ends when its turns are over', () => {
    const rules: readonly Rule[] = [{ when: { ...whenAck, skip: 2, times: 2 }, do: 'drop' }]
    let planned: Planned = { plan: [], seen: [] }
    const lengths = Array.from({ length: 6 }, () => {
      planned = planFrame(rules, planned.seen, fromServer(ack))
      return planned.plan.length
    })
    expect(lengths).toEqual([1, 1, 0, 0, 1, 1])
  })
})

describe('a stop in a stretch of bytes', () => {
  const at = (byte: number, node?: number): ByteRule => ({
    when: { from: 'server', byte, ...(node === undefined ? {} : { node }) },
    do: 'cut',
    how: 'end',
  })
  const stretches: readonly {
    rules: readonly Rule[]
    position: number
    length: number
    bytes: number | undefined
  }[] = [
    { rules: [at(10)], position: 0, length: 9, bytes: undefined },
    { rules: [at(10)], position: 0, length: 10, bytes: 10 },
    { rules: [at(10)], position: 9, length: 5, bytes: 1 },
    { rules: [at(10)], position: 10, length: 5, bytes: undefined },
    { rules: [at(12), at(10)], position: 5, length: 10, bytes: 5 },
    { rules: [at(10, 2)], position: 0, length: 20, bytes: undefined },
    { rules: [{ when: whenAck, do: 'drop' }], position: 0, length: 20, bytes: undefined },
  ]
  it.each(stretches)(
    'lies $bytes bytes into $length behind $position',
    ({ rules, position, length, bytes }) => {
      expect(planBytes(rules, { from: 'server', node: 1, connection: 1, position, length })?.bytes).toBe(
        bytes,
      )
    },
  )
})
