import { didYouMean, HaError } from '@ha/core'
import type { Deed, Edge, Rule, ScriptedAnswer } from './rule.ts'

// Every deed once, so that the compiler misses one that is forgotten.
const deeds: Readonly<Record<Deed, true>> = {
  connect: true,
  'log-in': true,
  query: true,
  prepare: true,
  execute: true,
  'bulk-execute': true,
  'send-long-data': true,
  'close-statement': true,
  'reset-statement': true,
  'init-db': true,
  'change-user': true,
  quit: true,
  ping: true,
  'reset-connection': true,
  'set-option': true,
  statistics: true,
  unknown: true,
}

/** Throws at a rule that could never match. */
export function checkRule(rule: Rule): void {
  if ('byte' in rule.when) {
    checkBytes('when.byte', rule.when.byte, 1)
    return
  }
  const { command, sql } = rule.when
  if (command === undefined && sql === undefined) throw invalid('when', 'about a command or an sql')
  if (command !== undefined && !Object.hasOwn(deeds, command)) {
    const names = Object.keys(deeds)
    throw invalid('when.command', `one of ${names.join(', ')}, not '${command}'${didYouMean(command, names)}`)
  }
  // A pattern that remembers where it was would match only every other time.
  if (sql instanceof RegExp && (sql.global || sql.sticky))
    throw invalid('when.sql', 'without the flags g and y')
  if (rule.do === 'answer' && 'rows' in rule.with) checkRows(rule.with)
  if ('at' in rule && typeof rule.at === 'object') checkEdge(rule.at)
}

// A client takes a result without columns for something else.
function checkRows({ rows, columns }: Extract<ScriptedAnswer, { readonly rows: unknown }>): void {
  if ((columns ?? Object.keys(rows[0] ?? {})).length === 0)
    throw invalid('with.columns', 'given when there are no rows')
}

function checkEdge(at: Exclude<Edge, string>): void {
  if ('requestByte' in at) checkBytes('at.requestByte', at.requestByte, 0)
  else checkBytes('at.answerByte', at.answerByte, 0)
}

function checkBytes(path: string, value: number, from: number): void {
  if (!Number.isInteger(value) || value < from)
    throw invalid(path, `a whole number from ${from}, not ${value}`)
}

function invalid(path: string, expected: string): HaError {
  return new HaError('config-invalid', `rule: ${path} must be ${expected}`)
}
