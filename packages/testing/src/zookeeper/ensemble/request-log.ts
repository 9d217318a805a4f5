import type { Clock } from '@ha/core'
import { matchesText, type RequestOutcome, type TextPattern } from '../../server/rules.ts'
import { type LogFormat, type Logged, TrafficLog } from '../../server/traffic-log.ts'
import type { OperationName } from '../rules.ts'
import type { ConnectRequest } from '../wire/connect.ts'
import type { Request } from '../wire/requests.ts'

/** One request that arrived completely, or that a rule cut short. */
export interface LogEntry extends Logged {
  /** The number of the node, from 1. */
  readonly node: number
  /** The number of the connection, from 1, in the order in which the nodes together accepted them. */
  readonly connection: number
  /** 0 before there is one. */
  readonly session: bigint
  readonly op: OperationName
  /** The paths that it is about: none, one, or those of the parts of a multi. */
  readonly paths: readonly string[]
  /** Its number; 0 for what has none. */
  readonly xid: number
  /** How many bytes its frame had. */
  readonly bytes: number
  /** The decoded request; undefined for `accept`. */
  readonly request: Request | ConnectRequest | undefined
  /** Whether the server did it, a rule answered it, or it was lost before the server looked at it. */
  readonly outcome: RequestOutcome
}

/** Matches the entries that agree with every given field; `path` may be a pattern and matches any of the paths. */
export type LogPattern = Partial<
  Pick<LogEntry, 'node' | 'connection' | 'session' | 'op' | 'xid' | 'outcome'>
> & {
  readonly path?: TextPattern
}

/** The requests of all clients, in the order in which the nodes received them. */
export type RequestLog = TrafficLog<LoggedRequest, LogPattern, OperationName>

/** A log in which nothing is noted yet. */
export function requestLog(clock: Clock): RequestLog {
  return new TrafficLog(clock, format)
}

type LoggedRequest = Omit<LogEntry, keyof Logged>

const format: LogFormat<LoggedRequest, LogPattern, OperationName> = {
  name: 'requests',
  operationOf: ({ op }) => op,
  isMatch: (pattern, sent) =>
    exactKeys.every((key) => pattern[key] === undefined || pattern[key] === sent[key]) &&
    isAbout(pattern.path, sent.paths),
  printable: ({ path, session, ...exact }) => ({
    ...exact,
    path: path?.toString(),
    session: session?.toString(16),
  }),
}

const exactKeys = ['node', 'connection', 'session', 'op', 'xid', 'outcome'] as const

function isAbout(path: TextPattern | undefined, paths: readonly string[]): boolean {
  return path === undefined || paths.some((each) => matchesText(path, each))
}
