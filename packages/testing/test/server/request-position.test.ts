import { describe, expect, it } from 'vitest'
import {
  answerUpTo,
  type BytePosition,
  checkBytePosition,
  isLostAt,
  type RequestPosition,
} from '../../src/server/rules.ts'

describe('the edge of an ending', () => {
  const edges: readonly { edge: RequestPosition; isLost: boolean; said: string }[] = [
    { edge: 'before', isLost: true, said: '' },
    { edge: 'unanswered', isLost: false, said: '' },
    { edge: 'after', isLost: false, said: 'answer' },
    { edge: { requestByte: 9 }, isLost: true, said: '' },
    { edge: { requestByte: 10 }, isLost: false, said: '' },
    { edge: { answerByte: 2 }, isLost: false, said: 'an' },
  ]
  it.each(edges)('$edge: the request of ten bytes is lost: $isLost, and said is "$said"', (each) => {
    expect(isLostAt(each.edge, 10)).toBe(each.isLost)
    expect(answerUpTo(each.edge, Buffer.from('answer')).toString()).toBe(each.said)
  })

  const wrong: readonly { edge: BytePosition; message: string }[] = [
    { edge: { requestByte: -1 }, message: 'rule: at.requestByte must be a whole number from 0, not -1' },
    { edge: { answerByte: 1.5 }, message: 'rule: at.answerByte must be a whole number from 0, not 1.5' },
  ]
  it.each(wrong)('is refused at $edge', ({ edge, message }) => {
    expect(() => checkBytePosition(edge)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message }),
    )
  })
})
