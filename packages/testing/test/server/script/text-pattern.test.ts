import { describe, expect, it } from 'vitest'
import { checkText, isText } from '../../../src/server/script/text-pattern.ts'

describe('a pattern of texts', () => {
  it('is the text itself, or a regular expression', () => {
    expect([isText('a', 'a'), isText('a', 'ab'), isText(/a/, 'ab'), isText(/c/, 'ab')]).toEqual([
      true,
      false,
      true,
      false,
    ])
  })

  it.each([/a/g, /a/y])('is refused when it remembers where it was: %s', (pattern) => {
    expect(() => checkText('when.path', pattern)).toThrow(
      expect.objectContaining({ message: 'rule: when.path must be without the flags g and y' }),
    )
  })
})
