import type { FieldTable, FieldValue } from '../wire/field-value.ts'
import { channelRefusal } from './refusal.ts'

const modes = ['all', 'any', 'all-with-x', 'any-with-x'] as const

/** Whether a message's headers fit the arguments of a binding to a headers exchange. */
export function fitsHeaders(binding: FieldTable, headers: FieldTable): boolean {
  const mode = modeOf(binding)
  const wanted = [...binding].filter(([name]) => mode.endsWith('-with-x') || !name.startsWith('x-'))
  const isPresent = ([name, value]: readonly [string, FieldValue]): boolean =>
    isSame(value, headers.get(name))
  return mode.startsWith('any') ? wanted.some(isPresent) : wanted.every(isPresent)
}

/** Refuses a binding whose `x-match` is none of the words that RabbitMQ knows. */
export function checkMatchMode(binding: FieldTable): void {
  const given = binding.get('x-match')
  if (given === undefined || modes.some((mode) => mode === given.value)) return
  throw channelRefusal(
    'PRECONDITION_FAILED',
    `Invalid x-match field value <<"${String(given.value)}">>; expected all, any, all-with-x, or any-with-x`,
  )
}

function modeOf(binding: FieldTable): (typeof modes)[number] {
  const given = binding.get('x-match')?.value
  return modes.find((mode) => mode === given) ?? 'all'
}

// A binding without a value asks only that the header is there.
function isSame(wanted: FieldValue, found: FieldValue | undefined): boolean {
  if (found === undefined) return false
  return wanted.type === 'void' || (wanted.type === found.type && wanted.value === found.value)
}
