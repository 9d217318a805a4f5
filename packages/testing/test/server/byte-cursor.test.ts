import { expect, test } from 'vitest'
import { ByteCursor, MalformedMessage } from '../../src/server/byte-cursor.ts'

class Octets extends ByteCursor {
  octet(): number {
    return this.source.readUInt8(this.take(1))
  }
}

test('bytes are read one after the other, and what is left is counted', () => {
  const reader = new Octets(Buffer.from([1, 2, 3, 4]))

  expect([reader.octet(), [...reader.bytes(2)], reader.left]).toEqual([1, [2, 3], 1])
})

test('who wants more than is left is told that this is malformed, and has read nothing', () => {
  const reader = new Octets(Buffer.from([1, 2]))
  reader.octet()

  expect(() => reader.bytes(2)).toThrow(new MalformedMessage('2 bytes wanted, 1 left'))
  expect(reader.octet()).toBe(2)
  expect(() => reader.octet()).toThrow(MalformedMessage)
})
