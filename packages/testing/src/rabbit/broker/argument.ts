import type { FieldTable, FieldValue } from '../wire/field-value.ts'

const integerTypes: readonly string[] = [
  'byte',
  'unsignedbyte',
  'short',
  'unsignedshort',
  'signedint',
  'unsignedint',
  'long',
]

/** Whether a field holds a whole number, of whatever width. */
export function isInteger(field: FieldValue): boolean {
  return integerTypes.includes(field.type)
}

/** A whole number among the arguments, or undefined. */
export function integerArgument(table: FieldTable, name: string): number | undefined {
  const field = table.get(name)
  return field !== undefined && isInteger(field) ? Number(field.value) : undefined
}

/** A text among the arguments, or undefined. */
export function textArgument(table: FieldTable, name: string): string | undefined {
  const field = table.get(name)
  return field?.type === 'longstr' ? field.value : undefined
}
