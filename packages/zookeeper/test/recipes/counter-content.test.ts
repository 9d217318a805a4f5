import { describe, expect, it } from 'vitest'
import {
  type CounterReading,
  formatContent,
  type LostWrite,
  lostWriteOutcome,
  parseContent,
} from '../../src/recipes/counter.ts'

describe('what a counter holds', () => {
  it.each([
    ['5', { value: 5, mark: undefined }],
    ['-5 abc', { value: -5, mark: 'abc' }],
    ['', undefined],
    ['five', undefined],
    ['5 a b', undefined],
    ['9007199254740993', undefined],
  ])('%j is read as %j', (text, content) => {
    expect(parseContent(text)).toEqual(content)
  })

  it('is read as it was written', () => {
    const content = { value: 12, mark: 'abc' }

    expect(parseContent(formatContent(content))).toEqual(content)
  })
})

describe('a write whose answer was lost', () => {
  const lost: LostWrite = { czxid: 10n, version: 4 }
  const now = (version: number, mark: string, czxid = 10n): CounterReading => ({
    value: 1,
    version,
    mark,
    czxid,
  })

  it.each<[string, LostWrite, CounterReading | undefined, string]>([
    ['its mark is there', lost, now(5, 'ours'), 'done'],
    ['its mark is there, in a node of its own', 'creation', now(0, 'ours'), 'done'],
    ['nothing was written since', lost, now(4, 'before'), 'pending'],
    ['there is no node yet', 'creation', undefined, 'pending'],
    ['somebody else wrote the next version', lost, now(5, 'theirs'), 'refused'],
    ['somebody else made the node', 'creation', now(0, 'theirs'), 'refused'],
    ['others wrote on it', lost, now(6, 'theirs'), 'unknown'],
    ['others wrote on the node that somebody made', 'creation', now(1, 'theirs'), 'unknown'],
    ['the node was deleted', lost, undefined, 'unknown'],
    ['the node is another one', lost, now(4, 'theirs', 11n), 'unknown'],
  ])('when %s', (_, write, seen, fate) => {
    expect(lostWriteOutcome(write, 'ours', seen)).toBe(fate)
  })
})
