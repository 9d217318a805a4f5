import { describe, expect, it } from 'vitest'
import { didYouMean, nearestWord } from '../../src/address/nearest-word.ts'

const words = ['heartbeatMs', 'strategy', 'failBackAfterMs', 'outbox']

describe('the nearest word', () => {
  it.each([
    ['hearbeatMs', 'heartbeatMs'],
    ['startegy', 'strategy'],
    ['fail-back-after-ms', 'failBackAfterMs'],
    ['OUTBOX', 'outbox'],
    ['outbx', 'outbox'],
    ['colour', undefined],
    ['', undefined],
  ])('of %j is %j', (word, expected) => {
    expect(nearestWord(word, words)).toBe(expected)
  })

  it('makes the end of a sentence, or nothing', () => {
    expect(didYouMean('startegy', words)).toBe("; did you mean 'strategy'?")
    expect(didYouMean('colour', words)).toBe('')
  })
})
