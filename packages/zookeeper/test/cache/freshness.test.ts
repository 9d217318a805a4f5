import { describe, expect, it } from 'vitest'
import { type Freshness, type FreshnessFacts, freshUntilMs, nextFreshness } from '../../src/cache/cache.ts'
import type { LiveSession } from '../../src/session/session.ts'

/** A session whose latest answered request was sent at `confirmedAtMs`. */
function sessionOf(confirmedAtMs: number): LiveSession {
  const { signal } = new AbortController()
  const certainUntilMs = confirmedAtMs + 4_000
  return { id: 1n, epoch: 1, timeoutMs: 4_000, signal, confirmedAtMs, certainUntilMs, keepCertain }
}

const keepCertain = (): (() => void) => () => undefined

const liveSession = sessionOf(900)
const current: Freshness = { kind: 'current', session: liveSession, sinceMs: 500 }
const stale: Freshness = { kind: 'stale', untilMs: 700 }
const facts: FreshnessFacts = { session: liveSession, unread: 0, failing: 0, nowMs: 1_000 }

describe('freshness', () => {
  const unread: Freshness = { kind: 'unread' }

  it.each([
    ['nothing read', unread, { unread: 3 }, 'unread'],
    ['nothing read and nobody there', unread, { session: undefined }, 'unread'],
    ['all read', unread, {}, 'current'],
    ['current, one change to read', current, { unread: 1 }, 'current'],
    ['current, a read fails', current, { unread: 1, failing: 1 }, 'stale'],
    ['current, the connection goes', current, { session: undefined }, 'stale'],
    ['current, another session comes', current, { session: sessionOf(950) }, 'stale'],
    ['stale, still reading', stale, { unread: 1 }, 'stale'],
    ['stale, all read again', stale, {}, 'current'],
    ['stale, nobody there', stale, { session: undefined }, 'stale'],
  ] as const)('%s', (_what, before, more: Partial<FreshnessFacts>, expected) => {
    expect(nextFreshness(before, { ...facts, ...more }).kind).toBe(expected)
  })

  it('stays the same object while nothing changes', () => {
    expect(nextFreshness(current, facts)).toBe(current)
  })
})

describe('until when it was certainly in step', () => {
  it.each([
    ['never, when it was not read', { kind: 'unread' }, undefined],
    ['when the latest answered request was sent', current, 900],
    [
      'when all had been read, if that was later',
      { kind: 'current', session: liveSession, sinceMs: 950 },
      950,
    ],
    ['as it was when it became stale', stale, 700],
  ] as const)('%s', (_what, freshness: Freshness, expected) => {
    expect(freshUntilMs(freshness)).toBe(expected)
  })

  it('is kept when the connection goes', () => {
    expect(nextFreshness(current, { ...facts, session: undefined })).toEqual({ kind: 'stale', untilMs: 900 })
  })
})
