import type { Clock } from '@ha/core'
import { matchesText, type RequestOutcome, type TextPattern } from '../server/rules.ts'
import { type LogFormat, type Logged, TrafficLog } from '../server/traffic-log.ts'
import type { ClientAction } from './rules.ts'

/** One action of a client that arrived completely, or that a rule cut short. */
export interface LogEntry extends Logged {
  /** The number of the node, from 1. */
  readonly node: number
  /** The number of the connection, from 1, in the order in which the nodes together accepted them. */
  readonly connection: number
  readonly command: ClientAction
  /** The statement. A prepared one has an entry when it is prepared and one for each execution. */
  readonly sql: string | undefined
  /** Whether the server ran it, a rule answered it, or it was lost before the server saw it. */
  readonly outcome: RequestOutcome
}

/** Selects the entries that agree in everything that is given; `sql` may be a pattern. */
export type LogPattern = Partial<Pick<LogEntry, 'node' | 'connection' | 'command' | 'outcome'>> & {
  readonly sql?: TextPattern
}

/** The actions of all clients, in the order in which the nodes received them. */
export type CommandLog = TrafficLog<LoggedAction, LogPattern, ClientAction>

/** An empty log. */
export function commandLog(clock: Clock): CommandLog {
  return new TrafficLog(clock, format)
}

type LoggedAction = Omit<LogEntry, keyof Logged>

const format: LogFormat<LoggedAction, LogPattern, ClientAction> = {
  name: 'commands',
  operationOf: ({ command }) => command,
  isMatch: (pattern, sent) =>
    exactKeys.every((key) => pattern[key] === undefined || pattern[key] === sent[key]) &&
    (pattern.sql === undefined || matchesText(pattern.sql, sent.sql ?? '')),
  printable: ({ sql, ...exact }) => ({ ...exact, sql: sql?.toString() }),
}

const exactKeys = ['node', 'connection', 'command', 'outcome'] as const
