import type { Clock } from '@ha/core'
import { matchesText, type RequestOutcome, type TextPattern } from '../server/rules.ts'
import { type LogFormat, type Logged, TrafficLog } from '../server/traffic-log.ts'
import type { ClientAction } from './rules.ts'

/** One thing that a client did and that arrived wholly, or was cut short by a rule. */
export interface LogEntry extends Logged {
  /** The number of the node, from 1. */
  readonly node: number
  /** The number of the connection, from 1, in the order in which the nodes together accepted them. */
  readonly connection: number
  readonly command: ClientAction
  /** The statement; of one that was prepared, when it is prepared and when it is executed. */
  readonly sql: string | undefined
  /** Whether the server did it, a rule answered it, or it was lost before the server looked at it. */
  readonly outcome: RequestOutcome
}

/** Which entries: those that agree in everything that is given; `sql` may be a pattern. */
export type LogPattern = Partial<Pick<LogEntry, 'node' | 'connection' | 'command' | 'outcome'>> & {
  readonly sql?: TextPattern
}

/** What all clients did, in the order in which the nodes saw it. */
export type CommandLog = TrafficLog<Sent, LogPattern, ClientAction>

/** A log in which nothing is noted yet. */
export function commandLog(clock: Clock): CommandLog {
  return new TrafficLog(clock, reading)
}

type Sent = Omit<LogEntry, keyof Logged>

const reading: LogFormat<Sent, LogPattern, ClientAction> = {
  name: 'commands',
  operationOf: ({ command }) => command,
  isMatch: (pattern, sent) =>
    exactKeys.every((key) => pattern[key] === undefined || pattern[key] === sent[key]) &&
    (pattern.sql === undefined || matchesText(pattern.sql, sent.sql ?? '')),
  printable: ({ sql, ...exact }) => ({ ...exact, sql: sql?.toString() }),
}

const exactKeys = ['node', 'connection', 'command', 'outcome'] as const
