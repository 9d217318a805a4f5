import { didYouMean, HaError } from '@ha/core'
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
  else if (!Number.isInteger(rule.when.byte) || rule.when.byte < 1) {
    throw invalid('when.byte', `a whole number from 1, not ${rule.when.byte}`)
  }
}

function checkWhen(when: WhenFrame, act: string): void {
  if (!frameNames.includes(when.frame)) {
    throw invalid(
      'when.frame',
      `the name of a frame, not '${when.frame}'${didYouMean(when.frame, frameNames)}`,
    )
  }
  if (publishActs.includes(act) && (when.frame !== 'basic.publish' || when.from !== 'client')) {
    throw invalid('when', `{ from: 'client', frame: 'basic.publish' } for '${act}', which is about messages`)
  }
  for (const name of Object.keys(when.fields ?? {})) checkField(when.frame, name)
}

function checkField(frame: FrameName, name: string): void {
  const names = isMethod(frame) ? fieldNames(frame) : []
  if (names.includes(name)) return
  throw invalid(
    `when.fields.${name}`,
    `a field of ${frame}: ${names.join(', ') || 'it has none'}${didYouMean(name, names)}`,
  )
}

function isMethod(frame: FrameName): frame is MethodName {
  return methodNames.includes(frame)
}

function invalid(path: string, expected: string): HaError {
  return new HaError('config-invalid', `rule: ${path} must be ${expected}`)
}
