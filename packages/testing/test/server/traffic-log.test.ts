import { FakeClock } from '@ha/core/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { TrafficLog } from '../../src/server/traffic-log.ts'

// A protocol in which clients say words.
interface Said {
  readonly node: number
  readonly word: string
}

let clock: FakeClock
let log: TrafficLog<Said, Partial<Said>, string>

beforeEach(() => {
  clock = new FakeClock()
  log = new TrafficLog(clock, {
    name: 'words',
    operationOf: ({ word }) => word,
    isMatch: ({ node, word }, said) =>
      (node === undefined || node === said.node) && (word === undefined || word === said.word),
    printable: (pattern) => pattern,
  })
})

describe('a log of deeds', () => {
  it('keeps what clients did in order, and when', async () => {
    log.add({ node: 1, word: 'hello' })
    await clock.advance(5)
    log.add({ node: 2, word: 'bye' })

    expect(log.entries()).toEqual([
      { atMs: 0, node: 1, word: 'hello' },
      { atMs: 5, node: 2, word: 'bye' },
    ])
    expect(log.operations()).toEqual(['hello', 'bye'])
  })

  it('finds those that fit', () => {
    log.add({ node: 1, word: 'hello' })
    log.add({ node: 2, word: 'hello' })

    expect(log.entries({ node: 2 })).toEqual([{ atMs: 0, node: 2, word: 'hello' }])
    expect(log.count({ word: 'hello' })).toBe(2)
    expect(log.operations({ word: 'bye' })).toEqual([])
  })

  it('waits for as many as are wanted', async () => {
    log.add({ node: 1, word: 'hello' })
    let seen = 0
    const waiting = log.until({ word: 'hello' }, { count: 3 }).then((entries) => {
      seen = entries.length
    })
    log.add({ node: 1, word: 'bye' })
    log.add({ node: 1, word: 'hello' })
    await clock.advance(1_000)
    expect(seen).toBe(0)

    log.add({ node: 2, word: 'hello' })
    await waiting

    expect(seen).toBe(3)
    expect(clock.pending).toBe(0)
  })

  it('does not wait for what it has', async () => {
    log.add({ node: 1, word: 'hello' })

    await expect(log.until({ word: 'hello' })).resolves.toEqual([{ atMs: 0, node: 1, word: 'hello' }])
  })

  it('says what it waited for in vain', async () => {
    log.add({ node: 1, word: 'hello' })
    const waiting = log.until({ word: 'hello' }, { count: 2, timeoutMs: 10 })
    const refused = expect(waiting).rejects.toMatchObject({
      code: 'timed-out',
      message: expect.stringContaining('1 of 2 words {"word":"hello"} within 10 ms'),
    })
    await clock.advance(10)

    await refused
  })

  it('forgets', () => {
    log.add({ node: 1, word: 'hello' })
    log.clear()

    expect(log.entries()).toEqual([])
  })
})
