import type { ConnectionOrigin, Side } from '../../server/rules.ts'
import type { RuleInterpreter, Script } from '../../server/script.ts'
import type { Frame } from '../wire/frame.ts'
import { frameName } from '../wire/frame-name.ts'
import { checkRule } from './check-rule.ts'
import type { ByteRule, CutHow, FrameAct, FrameRule, PublishAct } from './rule.ts'

/** What happens when a frame arrives or is to be sent: steps, one after the other. */
export type Plan = readonly Step[]

/** One step of a {@link Plan}. */
export type Step =
  /** The frame itself takes its normal way. */
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

/** A frame on its way. */
export interface Moment extends ConnectionOrigin {
  readonly from: Side
  readonly frame: Frame
}

/** The misbehaviour of a cluster, frame by frame. */
export type FrameScript = Script<FrameRule, ByteRule, Moment, Plan>

/** How rules about frames are read: each that matches rewrites the step in which the frame passes. */
export const frameGrammar: RuleInterpreter<FrameRule, ByteRule, Moment, Plan> = {
  check: checkRule,
  defaultPlan: [{ kind: 'pass', publish: undefined }],
  isMatch,
  add: (plan, rule) => plan.flatMap((step) => (step.kind === 'pass' ? stepsOf(rule, step) : [step])),
}

function isMatch({ when }: FrameRule, moment: Moment): boolean {
  const { frame } = moment
  if (when.from !== moment.from || when.frame !== frameName(frame)) return false
  if (when.channel !== undefined && when.channel !== frame.channel) return false
  return Object.entries(when.fields ?? {}).every(([name, value]) => fieldOf(frame, name) === value)
}

function fieldOf(frame: Frame, name: string): unknown {
  if (frame.kind !== 'method') return undefined
  const fields: Readonly<Record<string, unknown>> = frame.method.fields
  return fields[name]
}

function stepsOf(act: FrameAct, passing: Step): Plan {
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

function cutOf(how: CutHow): Step {
  return { kind: 'cut', how }
}

function injectOf(bytes: Uint8Array): Step {
  return { kind: 'inject', bytes }
}
