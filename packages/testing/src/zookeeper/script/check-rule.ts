import { didYouMean } from '@ha/core/driver'
import { checkBytePosition, checkTextPattern, checkWhole, invalidRule } from '../../server/rules.ts'
import { opCodes } from '../wire/op.ts'
import type { Deed, Rule, WhenRequest } from './rule.ts'

const deeds: readonly string[] = [...Object.keys(opCodes), 'accept', 'connect', 'unknown']

/** Throws at a rule that could never match. */
export function checkRule(rule: Rule): void {
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
  for (const deed of op === undefined ? [] : [op].flat()) checkDeed(deed)
  checkTextPattern('when.path', path)
}

function checkDeed(deed: Deed): void {
  if (deeds.includes(deed)) return
  throw invalidRule('when.op', `one of ${deeds.join(', ')}, not '${deed}'${didYouMean(deed, deeds)}`)
}
