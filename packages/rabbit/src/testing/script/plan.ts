import type { Frame } from '../wire/frame.ts'
import { frameName } from '../wire/frame-name.ts'
import type { ByteAct, ByteRule, CutHow, FrameAct, FrameRule, Place, PublishAct, Rule, Side } from './rule.ts'

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

/** Where a connection stands, for a rule's {@link Place}. */
export interface Where {
  readonly node: number
  readonly connection: number
}

/** A frame on its way. */
export interface Moment extends Where {
  readonly from: Side
  readonly frame: Frame
}

/** A plan, and how often each rule has matched when it is taken. */
export interface Planned {
  readonly plan: Plan
  readonly seen: readonly number[]
}

const pass: Step = { kind: 'pass', publish: undefined }

/** The plan of a frame that no rule concerns. */
export const plainPlan: Plan = [pass]

/** Decides what happens to a frame: each rule that matches rewrites the step in which the frame passes. */
export function planFrame(rules: readonly Rule[], seen: readonly number[], moment: Moment): Planned {
  const matches = rules.map((rule) => isFrameRule(rule) && isMatch(rule, moment))
  const plan = rules.reduce<Plan>((steps, rule, i) => {
    if (!isFrameRule(rule) || matches[i] !== true || !isInTurn(rule, seen[i] ?? 0)) return steps
    return steps.flatMap((step) => (step.kind === 'pass' ? stepsOf(rule, step) : [step]))
  }, plainPlan)
  return { plan, seen: rules.map((_, i) => (seen[i] ?? 0) + (matches[i] === true ? 1 : 0)) }
}

function isFrameRule(rule: Rule): rule is FrameRule {
  return 'frame' in rule.when
}

function isMatch({ when }: FrameRule, moment: Moment): boolean {
  const { frame } = moment
  if (when.from !== moment.from || when.frame !== frameName(frame) || !isPlace(when, moment)) return false
  if (when.channel !== undefined && when.channel !== frame.channel) return false
  return Object.entries(when.fields ?? {}).every(([name, value]) => fieldOf(frame, name) === value)
}

function isPlace(place: Place, where: Where): boolean {
  return (
    (place.node === undefined || place.node === where.node) &&
    (place.connection === undefined || place.connection === where.connection)
  )
}

function fieldOf(frame: Frame, name: string): unknown {
  if (frame.kind !== 'method') return undefined
  const fields: Readonly<Record<string, unknown>> = frame.method.fields
  return fields[name]
}

function isInTurn({ when }: FrameRule, seenBefore: number): boolean {
  const skip = when.skip ?? 0
  return seenBefore >= skip && seenBefore < skip + (when.times ?? Number.POSITIVE_INFINITY)
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

/** Bytes that are about to pass, and how many have passed before them. */
export interface Stretch extends Where {
  readonly from: Side
  readonly position: number
  readonly length: number
}

/** How many bytes pass before a rule about bytes acts; what it does, when one does. */
export interface ByteStop {
  readonly bytes: number
  readonly act: ByteAct
}

/** Decides where in a stretch of bytes a rule acts: the first place, or undefined when none lies in it. */
export function planBytes(rules: readonly Rule[], stretch: Stretch): ByteStop | undefined {
  const stops = rules.filter(isByteRule).filter((rule) => isInside(rule, stretch))
  const first = stops.reduce<ByteRule | undefined>(
    (best, rule) => (best === undefined || rule.when.byte < best.when.byte ? rule : best),
    undefined,
  )
  return first === undefined ? undefined : { bytes: first.when.byte - stretch.position, act: first }
}

function isByteRule(rule: Rule): rule is ByteRule {
  return 'byte' in rule.when
}

// Its end belongs to a stretch and its beginning does not: the act at byte K comes right behind byte K, once.
function isInside({ when }: ByteRule, stretch: Stretch): boolean {
  const { position, length } = stretch
  return (
    when.from === stretch.from &&
    isPlace(when, stretch) &&
    when.byte > position &&
    when.byte <= position + length
  )
}
