import { didYouMean } from '@ha/core/driver'
import { checkBytePosition, checkTextPattern, checkWhole, invalidRule } from '../../server/rules.ts'
import type { Deed, Rule, ScriptedAnswer } from './rule.ts'

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
    checkWhole('when.byte', rule.when.byte, 1)
    return
  }
  const { command, sql } = rule.when
  if (command === undefined && sql === undefined) throw invalidRule('when', 'about a command or an sql')
  if (command !== undefined && !Object.hasOwn(deeds, command)) {
    const names = Object.keys(deeds)
    throw invalidRule(
      'when.command',
      `one of ${names.join(', ')}, not '${command}'${didYouMean(command, names)}`,
    )
  }
  checkTextPattern('when.sql', sql)
  if (rule.do === 'answer' && 'rows' in rule.with) checkRows(rule.with)
  if ('at' in rule && typeof rule.at === 'object') checkBytePosition(rule.at)
}

// A client takes a result without columns for something else.
function checkRows({ rows, columns }: Extract<ScriptedAnswer, { readonly rows: unknown }>): void {
  if ((columns ?? Object.keys(rows[0] ?? {})).length === 0)
    throw invalidRule('with.columns', 'given when there are no rows')
}
