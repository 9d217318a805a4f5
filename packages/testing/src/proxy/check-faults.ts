import { HaError } from '@ha/core'
import { didYouMean } from '@ha/core/driver'
import type { Fault, Faults } from './fault.ts'

interface Rule {
  readonly expected: string
  readonly required: boolean
  holds(value: unknown): boolean
}

type Rules = {
  readonly [K in Fault['kind']]: {
    readonly [Field in Exclude<keyof Extract<Fault, { kind: K }>, 'kind'>]-?: Rule
  }
}

const ms = atLeast(0, 'a number of milliseconds, 0 or more')
const position = whole(0, Number.MAX_SAFE_INTEGER, 'a whole number of bytes, 0 or more')
const size = whole(1, Number.MAX_SAFE_INTEGER, 'a whole number of bytes, 1 or more')
const onset = { afterBytes: optional(position), afterMs: optional(ms) }

const rules: Rules = {
  latency: { delayMs: ms, jitterMs: optional(ms) },
  bandwidth: { bytesPerSecond: size, burstBytes: optional(size) },
  blackhole: { how: oneOf('stop-reading', 'discard'), ...onset },
  cut: { how: oneOf('end', 'close', 'reset'), ...onset },
  'half-open': {},
  'slow-close': { delayMs: ms },
  slice: { maxBytes: size, minBytes: optional(size), gapMs: optional(ms) },
  coalesce: { minBytes: size, maxWaitMs: ms },
  corrupt: { afterBytes: position, xor: optional(whole(1, 255, 'the bits to turn, 1 to 255')) },
  duplicate: { afterBytes: position },
}

const directions = ['up', 'down']

/** Throws `config-invalid` at the first fault that cannot be meant as it is written. */
export function checkFaults(faults: Faults): void {
  for (const [direction, list] of Object.entries(faults)) {
    if (!directions.includes(direction)) throw invalid(`faults have no '${direction}', only 'up' and 'down'`)
    const seen = new Set<string>()
    for (const [index, fault] of list.entries()) {
      const path = `${direction}[${index}]`
      checkKind(path, fault, seen)
      checkFields(path, fault)
    }
  }
}

function checkKind(path: string, fault: Fault, seen: Set<string>): void {
  const kinds = Object.keys(rules)
  if (!kinds.includes(fault.kind)) {
    throw invalid(`${path}.kind '${fault.kind}' is no fault${didYouMean(fault.kind, kinds)}`)
  }
  if (seen.has(fault.kind)) throw invalid(`${path}: '${fault.kind}' is given twice for one direction`)
  seen.add(fault.kind)
}

function checkFields(path: string, fault: Fault): void {
  const fields: Readonly<Record<string, Rule>> = rules[fault.kind]
  const given: Readonly<Record<string, unknown>> = { ...fault }
  for (const name of Object.keys(given)) {
    if (name !== 'kind' && !(name in fields)) {
      throw invalid(`${path} (${fault.kind}) has no '${name}'${didYouMean(name, Object.keys(fields))}`)
    }
  }
  for (const [name, rule] of Object.entries(fields)) {
    const value = given[name]
    if (value === undefined ? rule.required : !rule.holds(value)) {
      throw invalid(`${path}.${name} (${fault.kind}) is ${String(value)}, expected ${rule.expected}`)
    }
  }
  if (fault.kind === 'slice' && fault.minBytes !== undefined && fault.minBytes > fault.maxBytes) {
    throw invalid(`${path}.minBytes (slice) is ${fault.minBytes}, more than its maxBytes ${fault.maxBytes}`)
  }
}

function invalid(message: string): HaError {
  return new HaError('config-invalid', `fault proxy: ${message}`)
}

function atLeast(least: number, expected: string): Rule {
  return { expected, required: true, holds: (value) => Number.isFinite(value) && Number(value) >= least }
}

function whole(least: number, most: number, expected: string): Rule {
  const holds = (value: unknown): boolean =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most
  return { expected, required: true, holds }
}

function oneOf(...words: readonly string[]): Rule {
  const expected = words.map((word) => `'${word}'`).join(' or ')
  return { expected, required: true, holds: (value) => words.some((word) => word === value) }
}

function optional(rule: Rule): Rule {
  return { ...rule, required: false }
}
