import { didYouMean } from '@ha/core/driver'
import { checkWhole, invalidRule } from '../../server/rules.ts'
import { type FrameName, plainFrameNames } from '../wire/frame-name.ts'
import { fieldNames } from '../wire/method.ts'
import { type MethodName, methodTable } from '../wire/method-table.ts'
import type { Rule, WhenFrame } from './rule.ts'

const methodNames = Object.keys(methodTable)
const frameNames: readonly string[] = [...methodNames, ...plainFrameNames]
const publishActs: readonly string[] = ['nack', 'lose-confirm', 'store-twice', 'batch-confirms']

/** Throws at a rule that could never match. */
export function checkRule(rule: Rule): void {
  if ('frame' in rule.when) checkWhen(rule.when, rule.do)
  else checkWhole('when.byte', rule.when.byte, 1)
}

function checkWhen(when: WhenFrame, act: string): void {
  if (!frameNames.includes(when.frame)) {
    throw invalidRule(
      'when.frame',
      `the name of a frame, not '${when.frame}'${didYouMean(when.frame, frameNames)}`,
    )
  }
  if (publishActs.includes(act) && (when.frame !== 'basic.publish' || when.from !== 'client')) {
    throw invalidRule(
      'when',
      `{ from: 'client', frame: 'basic.publish' } for '${act}', which is about messages`,
    )
  }
  for (const name of Object.keys(when.fields ?? {})) checkField(when.frame, name)
}

function checkField(frame: FrameName, name: string): void {
  const names = isMethod(frame) ? fieldNames(frame) : []
  if (names.includes(name)) return
  throw invalidRule(
    `when.fields.${name}`,
    `a field of ${frame}: ${names.join(', ') || 'it has none'}${didYouMean(name, names)}`,
  )
}

function isMethod(frame: FrameName): frame is MethodName {
  return methodNames.includes(frame)
}
