import {
  type ConnectionOrigin,
  matchesText,
  type PlannedWaits,
  type RequestPosition,
  withWait,
} from '../../server/rules.ts'
import type { RuleInterpreter, Script } from '../../server/script.ts'
import { checkRule } from './check-rule.ts'
import type { ByteRule, Deed, Ending, RequestAct, RequestRule } from './rule.ts'

/** What happens when a client does something. */
export interface Plan extends PlannedWaits {
  /** The code that is answered instead of doing it. */
  readonly code: number | undefined
  /** Whether nobody is told, and what comes behind goes on. */
  readonly ignored: 'before' | 'unanswered' | undefined
  /** How far the number of the answer is off. */
  readonly misnumber: number
  /** In pieces of how many bytes the answer is written. */
  readonly pieceBytes: number
  readonly injected: readonly Injection[]
  /** Where the connection ends, when it does. */
  readonly ending: { readonly at: RequestPosition; readonly act: Ending } | undefined
}

export interface Injection {
  readonly bytes: Uint8Array
  readonly at: 'before' | 'after'
}

/** Something that a client does. */
export interface Moment extends ConnectionOrigin {
  readonly op: Deed
  readonly paths: readonly string[]
  readonly session: bigint
}

/** The misbehaviour of an ensemble, request by request. */
export type RequestScript = Script<RequestRule, ByteRule, Moment, Plan>

/** How rules about requests are read: each that matches adds to the plan. */
export const requestGrammar: RuleInterpreter<RequestRule, ByteRule, Moment, Plan> = {
  check: checkRule,
  defaultPlan: {
    before: [],
    code: undefined,
    ignored: undefined,
    beforeAnswer: [],
    misnumber: 0,
    pieceBytes: Number.POSITIVE_INFINITY,
    injected: [],
    ending: undefined,
  },
  isMatch,
  add: (plan, rule) => ({ ...plan, ...added(plan, rule) }),
}

function isMatch({ when }: RequestRule, moment: Moment): boolean {
  const { op, path, session } = when
  if (op !== undefined && !(typeof op === 'string' ? op === moment.op : op.includes(moment.op))) return false
  if (session !== undefined && session !== moment.session) return false
  return path === undefined || moment.paths.some((each) => matchesText(path, each))
}

function added(plan: Plan, act: RequestAct): Partial<Plan> {
  switch (act.do) {
    case 'refuse':
      return { code: act.code }
    case 'ignore':
      return { ignored: act.at ?? 'before' }
    case 'delay':
    case 'hold':
      return withWait(plan, act)
    case 'slice':
      return { pieceBytes: act.pieceBytes }
    case 'misnumber':
      return { misnumber: act.by }
    case 'inject':
      return { injected: [...plan.injected, { bytes: act.bytes, at: act.at ?? 'before' }] }
    case 'silence':
    case 'cut':
      return { ending: plan.ending ?? { at: act.at ?? 'before', act } }
  }
}
