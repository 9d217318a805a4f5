import { didYouMean } from '@ha/core/driver'
import {
  type ConnectionEnding,
  type ConnectionFilter,
  type ConnectionOrigin,
  type CutHow,
  checkBytePosition,
  checkTextPattern,
  checkWhole,
  invalidRule,
  matchesText,
  type PlannedWaits,
  type RequestPosition,
  type TextPattern,
  type WaitAct,
  withWait,
} from '../server/rules.ts'
import type { MatchWindow, RuleInterpreter, Script, WhenByte } from '../server/script.ts'
import { type OpName, opCodes } from './wire/requests.ts'

/** One misbehaviour, as data: what it waits for and what happens then. */
export type Rule = RequestRule | ByteRule

/** A rule about requests. */
export type RequestRule = { readonly when: WhenRequest } & RequestAct

/** A rule about a place in the stream of bytes of a connection, wherever frames begin and end. */
export type ByteRule = { readonly when: WhenByte } & Ending

/** What a client does: its socket is accepted, it requests a session, it sends a request. */
export type OperationName = OpName | 'accept' | 'connect' | 'unknown'

/** Matches what a client does. At least one of `op`, `path` and `session` is given. */
export interface WhenRequest extends ConnectionFilter, MatchWindow {
  readonly op?: OperationName | readonly OperationName[]
  /** The path of the request, or a pattern; of a multi, that of any of its parts. */
  readonly path?: TextPattern
  readonly session?: bigint
}

/** What a rule about requests does. Everything on the same connection waits behind a request that waits. */
export type RequestAct =
  /** The server does not execute it and answers this code, known or not. To `connect`: the session has expired. */
  | { readonly do: 'refuse'; readonly code: number }
  /**
   * The request is never answered, and requests behind it continue. With `before` (default) it is not executed
   * either.
   */
  | { readonly do: 'ignore'; readonly at?: 'before' | 'unanswered' }
  | WaitAct
  /** The answer is written in pieces of so many bytes. */
  | { readonly do: 'slice'; readonly pieceBytes: number }
  /** The answer's xid differs from the request's by so much. */
  | { readonly do: 'misnumber'; readonly by: number }
  /** The server sends these bytes in addition, before the answer (default) or after it. */
  | { readonly do: 'inject'; readonly bytes: Uint8Array; readonly at?: 'before' | 'after' }
  | (Ending & { readonly at?: RequestPosition })

/** How a rule ends a connection. */
export type Ending = ConnectionEnding<CutHow>

/** What happens when a client does something. */
export interface RequestPlan extends PlannedWaits {
  /** The code that is answered instead of executing the request. */
  readonly code: number | undefined
  /** Whether the request is not answered, and requests behind it continue. */
  readonly ignored: 'before' | 'unanswered' | undefined
  /** The difference between the xid of the answer and that of the request. */
  readonly misnumber: number
  /** How many bytes of the answer are written at once. */
  readonly pieceBytes: number
  readonly injected: readonly PlannedInjection[]
  /** Where the connection ends, when it does. */
  readonly ending: { readonly at: RequestPosition; readonly act: Ending } | undefined
}

export interface PlannedInjection {
  readonly bytes: Uint8Array
  readonly at: 'before' | 'after'
}

/** A request of a client, as rules match it. */
interface RequestEvent extends ConnectionOrigin {
  readonly op: OperationName
  readonly paths: readonly string[]
  readonly session: bigint
}

/** The rules of an ensemble. */
export type RequestScript = Script<RequestRule, ByteRule, RequestEvent, RequestPlan>

/** How rules about requests are read: each that matches adds to the plan. */
export const requestInterpreter: RuleInterpreter<RequestRule, ByteRule, RequestEvent, RequestPlan> = {
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

function isMatch({ when }: RequestRule, event: RequestEvent): boolean {
  const { op, path, session } = when
  if (op !== undefined && !(typeof op === 'string' ? op === event.op : op.includes(event.op))) return false
  if (session !== undefined && session !== event.session) return false
  return path === undefined || event.paths.some((each) => matchesText(path, each))
}

function added(plan: RequestPlan, act: RequestAct): Partial<RequestPlan> {
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

const operations: readonly string[] = [...Object.keys(opCodes), 'accept', 'connect', 'unknown']

/** Throws at a rule that could never match. */
function checkRule(rule: Rule): void {
  if ('byte' in rule.when) {
    checkWhole('when.byte', rule.when.byte, 1)
    return
  }
  checkWhen(rule.when)
  if (rule.do === 'slice') checkWhole('pieceBytes', rule.pieceBytes, 1)
  if ('at' in rule && typeof rule.at === 'object') checkBytePosition(rule.at)
}

function checkWhen({ op, path, session }: WhenRequest): void {
  if (op === undefined && path === undefined && session === undefined)
    throw invalidRule('when', 'about an op, a path or a session')
  for (const operation of op === undefined ? [] : [op].flat()) checkOperation(operation)
  checkTextPattern('when.path', path)
}

function checkOperation(operation: OperationName): void {
  if (operations.includes(operation)) return
  throw invalidRule(
    'when.op',
    `one of ${operations.join(', ')}, not '${operation}'${didYouMean(operation, operations)}`,
  )
}
