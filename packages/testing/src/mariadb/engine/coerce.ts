import type { ColumnType } from '../wire/column.ts'
import type { Value } from '../wire/value.ts'
import { numberOf } from './compare.ts'

/** A value as a column of that type keeps it. */
export function coerced(value: Value, type: ColumnType): Value {
  if (value === null) return null
  switch (type) {
    case 'int':
    case 'bigint':
    case 'double':
      return numberOf(value)
    case 'blob':
    case 'binary':
      return Buffer.isBuffer(value) ? value : Buffer.from(String(value), 'utf8')
    case 'decimal':
    case 'datetime':
    case 'text':
    case 'char':
    case 'null':
      return Buffer.isBuffer(value) ? value.toString('utf8') : String(value)
  }
}
