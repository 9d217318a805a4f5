import type { FieldTable, FieldValue } from '../wire/field-value.ts'
import { isInteger } from './argument.ts'
import { channelRefusal } from './refusal.ts'

/** A property that a declaration gives and that the thing already has. */
export interface Property {
  readonly name: string
  readonly received: boolean | string
  readonly current: boolean | string
}

/** Refuses a declaration whose properties differ from those of what is there. `what` reads `queue 'q' in vhost '/'`. */
export function checkProperties(what: string, properties: readonly Property[]): void {
  const wrong = properties.find(({ received, current }) => received !== current)
  if (wrong === undefined) return
  const { name, received, current } = wrong
  throw inequivalent(name, what, `received '${received}' but current is '${current}'`)
}

/** Refuses a declaration in which one of the named arguments differs. */
export function checkArguments(
  what: string,
  names: readonly string[],
  received: FieldTable,
  current: FieldTable,
): void {
  for (const name of names) checkArgument(what, name, received.get(name), current.get(name))
}

function checkArgument(
  what: string,
  name: string,
  received: FieldValue | undefined,
  current: FieldValue | undefined,
): void {
  if (isSame(received, current)) return
  if (received !== undefined && current !== undefined) {
    throw inequivalent(name, what, `received '${received.value}' but current is '${current.value}'`)
  }
  throw inequivalent(name, what, `received ${described(received)} but current is ${described(current)}`)
}

function isSame(a: FieldValue | undefined, b: FieldValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  // 1000 is 1000, however many bytes a client spends on it; '1000' is not.
  if (isInteger(a) && isInteger(b)) return Number(a.value) === Number(b.value)
  return a.type === b.type && a.value === b.value
}

function described(field: FieldValue | undefined): string {
  return field === undefined ? 'none' : `the value '${field.value}' of type '${field.type}'`
}

function inequivalent(name: string, what: string, difference: string): Error {
  return channelRefusal('PRECONDITION_FAILED', `inequivalent arg '${name}' for ${what}: ${difference}`)
}
