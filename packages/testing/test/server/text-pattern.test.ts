import { describe, expect, it } from 'vitest'
import { checkTextPattern, matchesText } from '../../src/server/rules.ts'

describe('a pattern of texts', () => {
  it('is the text itself, or a regular expression', () => {
    expect([
      matchesText('a', 'a'),
      matchesText('a', 'ab'),
      matchesText(/a/, 'ab'),
      matchesText(/c/, 'ab'),
    ]).toEqual([true, false, true, false])
  })

  it.each([/a/g, /a/y])('is refused when it remembers where it was: %s', (pattern) => {
    expect(() => checkTextPattern('when.path', pattern)).toThrow(
      expect.objectContaining({ message: 'rule: when.path must be without the flags g and y' }),
    )
  })
})
