import { describe, expect, it } from 'vitest'
import {
  type FramePlan,
  type FrameRule,
  frameInterpreter,
  type PlanStep,
  type Rule,
} from '../../src/rabbit/rules.ts'
import type { Frame } from '../../src/rabbit/wire/frames.ts'
import { Script } from '../../src/server/script.ts'

const ack: Frame = {
  kind: 'method',
  channel: 2,
  method: { name: 'basic.ack', fields: { deliveryTag: 7, multiple: false } },
}
const heartbeat: Frame = { kind: 'heartbeat', channel: 0 }
const planOf = (rules: readonly Rule[], frame: Frame): FramePlan => {
  const script = new Script(frameInterpreter)
  script.add(rules)
  return script.planOf({ from: 'server', node: 1, connection: 3, frame })
}
const pass: PlanStep = { kind: 'pass', publish: undefined }
const cut: PlanStep = { kind: 'cut', how: 'reset' }
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
    expect(planOf([{ when, do: 'drop' }], ack)).toEqual(matched ? [] : [pass])
  })

  it('is that a heartbeat passes when the rule is about heartbeats of the other side', () => {
    const rule: Rule = { when: { from: 'client', frame: 'heartbeat' }, do: 'drop' }
    expect(planOf([rule], heartbeat)).toEqual([pass])
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
    expect(planOf([{ when: whenAck, ...act } as Rule], ack)).toEqual(plan)
  })

  it('is made of all rules that match, one inside the other', () => {
    const rules: readonly Rule[] = [
      { when: whenAck, do: 'cut', how: 'reset', at: 'after' },
      { when: whenAck, do: 'delay', delayMs: 5 },
    ]
    expect(planOf(rules, ack)).toEqual([{ kind: 'wait', delayMs: 5 }, pass, cut])
  })
})
