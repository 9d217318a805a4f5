import { MalformedError } from './malformed.ts'
import { data, type Fields, type FieldType } from './records.ts'

/**
 * Where a record ends that begins at `offset`. The package believes every length that it reads (it sets memory aside
 * for it, and fills up what is missing), so each is looked at before. Throws {@link MalformedError}.
 */
export function endOf(fields: Fields, bytes: Buffer, offset: number): number {
  let end = offset
  for (const [name, type] of Object.entries(fields)) end = endOfField(type, name, bytes, end)
  return end
}

function endOfField(type: FieldType, name: string, bytes: Buffer, offset: number): number {
  switch (type) {
    case 'int':
      return step(4, name, bytes, offset)
    case 'long':
      return step(8, name, bytes, offset)
    case 'boolean':
      return step(1, name, bytes, offset)
    case 'buffer':
    case 'ustring':
      return step(lengthAt(name, bytes, offset), name, bytes, offset + 4)
    case 'vector<ustring>':
      return endOfItems('ustring', name, bytes, offset)
    case 'vector<data.ACL>':
      return endOfItems('data.ACL', name, bytes, offset)
    case 'data.Id':
      return endOf(data.Id, bytes, offset)
    case 'data.ACL':
      return endOf(data.ACL, bytes, offset)
    case 'data.Stat':
      return endOf(data.Stat, bytes, offset)
  }
}

function endOfItems(item: FieldType, name: string, bytes: Buffer, offset: number): number {
  let end = offset + 4
  for (let left = lengthAt(name, bytes, offset); left > 0; left--) end = endOfField(item, name, bytes, end)
  return end
}

// A length of -1 stands for nothing at all.
function lengthAt(name: string, bytes: Buffer, offset: number): number {
  step(4, name, bytes, offset)
  const length = bytes.readInt32BE(offset)
  if (length < -1) throw new MalformedError(`'${name}' at byte ${offset} has the length ${length}`)
  return Math.max(0, length)
}

function step(length: number, name: string, bytes: Buffer, offset: number): number {
  const end = offset + length
  if (end > bytes.length) {
    throw new MalformedError(`'${name}' needs ${length} bytes at byte ${offset}, of ${bytes.length}`)
  }
  return end
}
