import { didYouMean } from '@ha/core/driver'
import {
  type ConnectionEnding,
  type ConnectionFilter,
  type ConnectionOrigin,
  type CutHow,
  checkWhole,
  type Injection,
  invalidRule,
  type Side,
  type Wait,
} from '../server/rules.ts'
import type { MatchWindow, RuleInterpreter, Script, WhenByte } from '../server/script.ts'
import { type Frame, type FrameName, frameName, plainFrameNames } from './wire/frames.ts'
import { fieldNames, type MethodName, methodTable } from './wire/methods.ts'

/** One misbehaviour, as data: what it waits for and what happens then. */
export type Rule = FrameRule | ByteRule

/** A rule about frames. */
export type FrameRule = { readonly when: WhenFrame } & FrameAct

/** A rule about a place in the stream of bytes, wherever frames begin and end. */
export type ByteRule = { readonly when: WhenByte } & ByteAct

/** Matches a frame that a side sends. */
export interface WhenFrame extends ConnectionFilter, MatchWindow {
  readonly from: Side
  readonly frame: FrameName
  readonly channel?: number
  /** Fields of the method with the values that they must have. */
  readonly fields?: Readonly<Record<string, string | number | boolean>>
}

/** What a rule about frames does. Everything on the same channel waits behind a frame that waits. */
export type FrameAct =
  /** The frame is handled or sent later; of `hold`, when the test calls `cluster.release(until)`. */
  | Wait
  /** The frame, with the message that it announces, is lost: never handled, never sent. */
  | { readonly do: 'drop' }
  /** The server closes the channel instead of handling the frame. */
  | { readonly do: 'close-channel'; readonly replyCode: number; readonly replyText: string }
  /** The server closes the connection instead of handling the frame. */
  | { readonly do: 'close-connection'; readonly replyCode: number; readonly replyText: string }
  | (Ending & FramePosition)
  | (Injection & FramePosition)
  | PublishAct

/** What a rule about bytes does. */
export type ByteAct = Ending | Injection

/** On which side of the frame it happens. Default `before`: an ending before a frame means that it never passes. */
export interface FramePosition {
  readonly at?: 'before' | 'after'
}

/** How a rule ends a connection. */
export type Ending = ConnectionEnding<CutHow>

/** What a rule about the client's `basic.publish` does with the message. */
export type PublishAct =
  /** The message is not stored, and its confirm is a nack. */
  | { readonly do: 'nack' }
  /** The message is stored and never confirmed. */
  | { readonly do: 'lose-confirm' }
  /** The message is stored twice and confirmed once, as if its publisher had sent it again. */
  | { readonly do: 'store-twice' }
  /** The confirms of so many matching messages are collected and then sent together. */
  | { readonly do: 'batch-confirms'; readonly size: number; readonly as: ConfirmBatch }

/** How a batch of confirms is sent: one by one as published, one by one from the last, or as one `multiple`. */
export type ConfirmBatch = 'in-order' | 'reversed' | 'multiple'

/** The steps for a frame that arrives or is to be sent, in order. */
export type FramePlan = readonly PlanStep[]

/** One step of a {@link FramePlan}. */
export type PlanStep =
  /** The frame is handled or sent. */
  | { readonly kind: 'pass'; readonly publish: PublishAct | undefined }
  | { readonly kind: 'wait'; readonly delayMs: number }
  | { readonly kind: 'await'; readonly name: string }
  | {
      readonly kind: 'refuse'
      readonly scope: 'channel' | 'connection'
      readonly replyCode: number
      readonly replyText: string
    }
  | { readonly kind: 'inject'; readonly bytes: Uint8Array }
  | { readonly kind: 'silence' }
  | { readonly kind: 'cut'; readonly how: CutHow }

/** A frame that arrives or is to be sent. */
interface FrameEvent extends ConnectionOrigin {
  readonly from: Side
  readonly frame: Frame
}

/** The rules of a cluster. */
export type FrameScript = Script<FrameRule, ByteRule, FrameEvent, FramePlan>

/** How rules about frames are read: each that matches rewrites the step in which the frame passes. */
export const frameInterpreter: RuleInterpreter<FrameRule, ByteRule, FrameEvent, FramePlan> = {
  check: checkRule,
  defaultPlan: [{ kind: 'pass', publish: undefined }],
  isMatch,
  add: (plan, rule) => plan.flatMap((step) => (step.kind === 'pass' ? stepsOf(rule, step) : [step])),
}

function isMatch({ when }: FrameRule, event: FrameEvent): boolean {
  const { frame } = event
  if (when.from !== event.from || when.frame !== frameName(frame)) return false
  if (when.channel !== undefined && when.channel !== frame.channel) return false
  return Object.entries(when.fields ?? {}).every(([name, value]) => fieldOf(frame, name) === value)
}

function fieldOf(frame: Frame, name: string): unknown {
  if (frame.kind !== 'method') return undefined
  const fields: Readonly<Record<string, unknown>> = frame.method.fields
  return fields[name]
}

function stepsOf(act: FrameAct, passing: PlanStep): FramePlan {
  switch (act.do) {
    case 'delay':
      return [{ kind: 'wait', delayMs: act.delayMs }, passing]
    case 'hold':
      return [{ kind: 'await', name: act.until }, passing]
    case 'drop':
      return []
    case 'close-channel':
      return [{ kind: 'refuse', scope: 'channel', replyCode: act.replyCode, replyText: act.replyText }]
    case 'close-connection':
      return [{ kind: 'refuse', scope: 'connection', replyCode: act.replyCode, replyText: act.replyText }]
    case 'silence':
      return act.at === 'after' ? [passing, { kind: 'silence' }] : [{ kind: 'silence' }]
    case 'cut':
      return act.at === 'after' ? [passing, cutOf(act.how)] : [cutOf(act.how)]
    case 'inject':
      return act.at === 'after' ? [passing, injectOf(act.bytes)] : [injectOf(act.bytes), passing]
    case 'nack':
    case 'lose-confirm':
    case 'store-twice':
    case 'batch-confirms':
      return [{ kind: 'pass', publish: act }]
  }
}

function cutOf(how: CutHow): PlanStep {
  return { kind: 'cut', how }
}

function injectOf(bytes: Uint8Array): PlanStep {
  return { kind: 'inject', bytes }
}

const methodNames = Object.keys(methodTable)
const frameNames: readonly string[] = [...methodNames, ...plainFrameNames]
const publishActs: readonly string[] = ['nack', 'lose-confirm', 'store-twice', 'batch-confirms']

/** Throws at a rule that could never match. */
function checkRule(rule: Rule): void {
  if ('frame' in rule.when) checkWhen(rule.when, rule.do)
  else checkWhole('when.byte', rule.when.byte, 1)
}

function checkWhen(when: WhenFrame, act: string): void {
  if (!frameNames.includes(when.frame)) {
    throw invalidRule(
      'when.frame',
      `the name of a frame, not '${when.frame}'${didYouMean(when.frame, frameNames)}`,
    )
  }
  if (publishActs.includes(act) && (when.frame !== 'basic.publish' || when.from !== 'client')) {
    throw invalidRule(
      'when',
      `{ from: 'client', frame: 'basic.publish' } for '${act}', which is about messages`,
    )
  }
  for (const name of Object.keys(when.fields ?? {})) checkField(when.frame, name)
}

function checkField(frame: FrameName, name: string): void {
  const names = isMethod(frame) ? fieldNames(frame) : []
  if (names.includes(name)) return
  throw invalidRule(
    `when.fields.${name}`,
    `a field of ${frame}: ${names.join(', ') || 'it has none'}${didYouMean(name, names)}`,
  )
}

function isMethod(frame: FrameName): frame is MethodName {
  return methodNames.includes(frame)
}
