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

const live = sessionOf(900)
const inStep: Freshness = { kind: 'in-step', session: live, sinceMs: 500 }
const behind: Freshness = { kind: 'behind', untilMs: 700 }
const facts: FreshnessFacts = { live, unread: 0, failing: 0, nowMs: 1_000 }

describe('freshness', () => {
  const unread: Freshness = { kind: 'unread' }

  it.each([
    ['nothing read', unread, { unread: 3 }, 'unread'],
    ['nothing read and nobody there', unread, { live: undefined }, 'unread'],
    ['all read', unread, {}, 'in-step'],
    ['in step, one change to read', inStep, { unread: 1 }, 'in-step'],
    ['in step, a read fails', inStep, { unread: 1, failing: 1 }, 'behind'],
    ['in step, the connection goes', inStep, { live: undefined }, 'behind'],
    ['in step, another session comes', inStep, { live: sessionOf(950) }, 'behind'],
    ['behind, still reading', behind, { unread: 1 }, 'behind'],
    ['behind, all read again', behind, {}, 'in-step'],
    ['behind, nobody there', behind, { live: undefined }, 'behind'],
  ] as const)('%s', (_what, before, more: Partial<FreshnessFacts>, expected) => {
    expect(nextFreshness(before, { ...facts, ...more }).kind).toBe(expected)
  })

  it('stays the same object while nothing changes', () => {
    expect(nextFreshness(inStep, facts)).toBe(inStep)
  })
})

describe('until when it was certainly in step', () => {
  it.each([
    ['never, when it was not read', { kind: 'unread' }, undefined],
    ['when the latest answered request was sent', inStep, 900],
    ['when all had been read, if that was later', { kind: 'in-step', session: live, sinceMs: 950 }, 950],
    ['as it was when it fell behind', behind, 700],
  ] as const)('%s', (_what, freshness: Freshness, expected) => {
    expect(freshUntilMs(freshness)).toBe(expected)
  })

  it('is kept when the connection goes', () => {
    expect(nextFreshness(inStep, { ...facts, live: undefined })).toEqual({ kind: 'behind', untilMs: 900 })
  })
})
