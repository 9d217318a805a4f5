import type { Clock } from '@ha/core'
import type { ConnectionOrigin, Side } from '../../server/rules.ts'
import { type LogFormat, type Logged, TrafficLog } from '../../server/traffic-log.ts'
import { plainTable } from '../wire/field-tables.ts'
import { type Frame, type FrameName, frameName } from '../wire/frames.ts'

/** One frame that was received or sent. */
export interface LogEntry extends Logged {
  /** Which side sent it. */
  readonly from: Side
  /** The number of the node, from 1. */
  readonly node: number
  /** The number of the connection, from 1, in the order in which the cluster accepted them. */
  readonly connection: number
  readonly channel: number
  readonly frame: FrameName
  /** The fields of a method as plain values; of content its length as `bytes`. Passwords are not kept. */
  readonly fields: Readonly<Record<string, unknown>>
}

/** Matches the entries that agree with every given field. */
export type LogPattern = Partial<Pick<LogEntry, 'from' | 'node' | 'connection' | 'channel' | 'frame'>>

/**
 * The frames of all connections in the order in which the cluster saw them; the oldest are dropped when there are too
 * many.
 */
export type FrameLog = TrafficLog<LoggedFrame, LogPattern, FrameName>

/** An empty log that keeps at least so many frames. */
export function frameLog(clock: Clock, maxEntries: number): FrameLog {
  return new TrafficLog(clock, { ...format, maxEntries })
}

/** What the log keeps of a frame. */
export function loggedFrame(from: Side, { node, connection }: ConnectionOrigin, frame: Frame): LoggedFrame {
  return { from, node, connection, channel: frame.channel, frame: frameName(frame), fields: fieldsOf(frame) }
}

type LoggedFrame = Omit<LogEntry, keyof Logged>

const patternKeys = ['frame', 'from', 'connection', 'channel', 'node'] as const

const format: LogFormat<LoggedFrame, LogPattern, FrameName> = {
  name: 'frames',
  operationOf: ({ frame }) => frame,
  isMatch: (pattern, entry) =>
    patternKeys.every((key) => pattern[key] === undefined || pattern[key] === entry[key]),
  printable: (pattern) => pattern,
}

function fieldsOf(frame: Frame): Readonly<Record<string, unknown>> {
  switch (frame.kind) {
    case 'method':
      return plainFields(frame.method.fields)
    case 'content-header':
      return { bytes: frame.bodyBytes }
    case 'content-body':
      return { bytes: frame.bytes.length }
    case 'protocol-header':
    case 'heartbeat':
      return {}
  }
}

// What a log-in and a renewed secret carry.
const secretFields: readonly string[] = ['response', 'newSecret']

function plainFields(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const plain: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (secretFields.includes(name)) continue
    plain[name] = value instanceof Map ? plainTable(value) : value
  }
  return plain
}
