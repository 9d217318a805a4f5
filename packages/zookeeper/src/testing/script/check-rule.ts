import { didYouMean, HaError } from '@ha/core'
import { opCodes } from '../wire/op.ts'
import type { Deed, Rule, WhenRequest } from './rule.ts'

const deeds: readonly string[] = [...Object.keys(opCodes), 'accept', 'connect', 'unknown']

/** Throws at a rule that could never match. */
export function checkRule(rule: Rule): void {
  if ('byte' in rule.when) {
    checkNumber('when.byte', rule.when.byte, 1)
    return
  }
  checkWhen(rule.when)
  if (rule.do === 'slice') checkNumber('pieceBytes', rule.pieceBytes, 1)
  if ('at' in rule && typeof rule.at === 'object') {
    if ('requestByte' in rule.at) checkNumber('at.requestByte', rule.at.requestByte, 0)
    else checkNumber('at.answerByte', rule.at.answerByte, 0)
  }
}

function checkWhen({ op, path, session }: WhenRequest): void {
  if (op === undefined && path === undefined && session === undefined)
    throw invalid('when', 'about an op, a path or a session')
  for (const deed of op === undefined ? [] : [op].flat()) checkDeed(deed)
  // A pattern that remembers where it was would match only every other time.
  if (path instanceof RegExp && (path.global || path.sticky))
    throw invalid('when.path', 'without the flags g and y')
}

function checkDeed(deed: Deed): void {
  if (deeds.includes(deed)) return
  throw invalid('when.op', `one of ${deeds.join(', ')}, not '${deed}'${didYouMean(deed, deeds)}`)
}

function checkNumber(path: string, value: number, from: number): void {
  if (!Number.isInteger(value) || value < from)
    throw invalid(path, `a whole number from ${from}, not ${value}`)
}

function invalid(path: string, expected: string): HaError {
  return new HaError('config-invalid', `rule: ${path} must be ${expected}`)
}
