import { describe, expect, it } from 'vitest'
import { emptyView, observe } from '../../src/cluster/cluster-view.ts'
import { type Verdict, verdictTable } from '../../src/errors/classification.ts'
import { fullJitter } from '../../src/policy/backoff.ts'
import { Budget, decideRetry, type RetryDecision } from '../../src/policy/retry.ts'
import { type Strategy, select } from '../../src/policy/select.ts'
import { seededRandom } from '../../src/testing/fake-clock.ts'

describe('the order in which endpoints are dialled', () => {
  const endpoints = [1, 2, 3].map((number) => ({ host: `n${number}`, port: 1 }))
  const error = new Error('gone')
  // What has failed, and when; the clock stands at 100 s and a failure counts for 30 s.
  const cases: readonly [string, Strategy, number, Readonly<Record<string, number>>, string][] = [
    ['as listed', 'sequential', 0, {}, 'n1 n2 n3'],
    ['whatever the turn', 'sequential', 2, {}, 'n1 n2 n3'],
    ['the one that failed comes last', 'sequential', 0, { n1: 90_000 }, 'n2 n3 n1'],
    [
      'the longest ago first among those that failed',
      'sequential',
      0,
      { n1: 95_000, n2: 90_000 },
      'n3 n2 n1',
    ],
    ['an old failure is forgiven', 'sequential', 0, { n1: 70_000 }, 'n1 n2 n3'],
    ['all down, all are tried', 'sequential', 0, { n1: 99_000, n2: 98_000, n3: 97_000 }, 'n3 n2 n1'],
    ['the next in turn', 'round-robin', 1, {}, 'n2 n3 n1'],
    ['round and round', 'round-robin', 5, {}, 'n3 n1 n2'],
    ['the next in turn that has not failed', 'round-robin', 1, { n2: 90_000 }, 'n3 n1 n2'],
  ]

  it.each(cases)('%s (%s)', (_, strategy, selections, failed, expected) => {
    let view = observe(emptyView, { kind: 'listed', endpoints, atMs: 0 })
    for (const [host, atMs] of Object.entries(failed)) {
      view = observe(view, { kind: 'failed', endpoint: { host, port: 1 }, atMs, error })
    }
    const plan = select(view, {
      strategy,
      selections,
      nowMs: 100_000,
      penaltyMs: 30_000,
      random: Math.random,
    })
    expect(plan.map((endpoint) => endpoint.host).join(' ')).toBe(expected)
  })

  it('is every order equally often when shuffled', () => {
    const view = observe(emptyView, { kind: 'listed', endpoints, atMs: 0 })
    const random = seededRandom(7)
    const seen = new Map<string, number>()
    for (let i = 0; i < 6_000; i++) {
      const plan = select(view, { strategy: 'random', selections: i, nowMs: 0, penaltyMs: 0, random })
      const order = plan.map((endpoint) => endpoint.host).join(' ')
      seen.set(order, (seen.get(order) ?? 0) + 1)
    }
    expect(seen.size).toBe(6)
    expect(Math.min(...seen.values())).toBeGreaterThan(900)
  })

  it('is empty for an empty view', () => {
    const wanted = { selections: 3, nowMs: 0, penaltyMs: 0, random: Math.random } as const
    expect(select(emptyView, { ...wanted, strategy: 'round-robin' })).toEqual([])
  })
})

describe('the retry rule', () => {
  const verdict = (effect: Verdict['effect'], transient: boolean): Verdict => ({
    scope: 'call',
    effect,
    transient,
  })
  const cases: readonly [
    Verdict,
    { repeatable?: boolean; expired?: boolean; poor?: boolean },
    RetryDecision,
  ][] = [
    [verdict('none', true), {}, 'retry'],
    [verdict('none', false), {}, 'rejected'],
    [verdict('none', true), { expired: true }, 'timed-out'],
    [verdict('none', true), { poor: true }, 'retry-budget-exhausted'],
    [verdict('unknown', true), {}, 'outcome-unknown'],
    [verdict('unknown', false), {}, 'outcome-unknown'],
    [verdict('unknown', true), { repeatable: true }, 'retry'],
    [verdict('unknown', false), { repeatable: true }, 'rejected'],
    [verdict('unknown', true), { repeatable: true, expired: true }, 'timed-out'],
    [verdict('unknown', true), { repeatable: true, poor: true }, 'retry-budget-exhausted'],
  ]

  it.each(cases)(
    '%j and %j makes %s',
    (given, { repeatable = false, expired = false, poor = false }, expected) => {
      expect(decideRetry(given, { repeatable, expired, spendBudget: () => !poor })).toBe(expected)
    },
  )

  it('spends nothing on what is not retried anyway', () => {
    const attempt = { repeatable: true, expired: false, spendBudget: () => expect.unreachable() }
    expect(decideRetry(verdict('none', false), attempt)).toBe('rejected')
  })
})

describe('full jitter', () => {
  it.each([
    [0, 0.5, 25],
    [1, 0.5, 50],
    [3, 1, 400],
    [20, 0.5, 5_000],
    [5_000, 1, 10_000],
    [4, 0, 0],
  ])('in round %i with %f waits %i ms', (round, random, expected) => {
    expect(fullJitter({ baseMs: 50, maxMs: 10_000 })(round, () => random)).toBe(expected)
  })
})

describe('a retry budget', () => {
  it('allows its burst, then one repetition for ten successes', () => {
    const budget = new Budget({ burst: 2, refill: 0.1 })
    expect([budget.spend(), budget.spend(), budget.spend()]).toEqual([true, true, false])
    for (let success = 0; success < 11; success++) budget.refill()
    expect([budget.spend(), budget.spend()]).toEqual([true, false])
  })

  it('never holds more than its burst', () => {
    const budget = new Budget({ burst: 1 })
    for (let success = 0; success < 100; success++) budget.refill()
    expect([budget.spend(), budget.spend()]).toEqual([true, false])
  })
})

describe('a table of verdicts', () => {
  const fallback: Verdict = { scope: 'connection', effect: 'unknown', transient: true }
  const known: Verdict = { scope: 'call', effect: 'none', transient: false }
  const verdictOf = verdictTable({ 404: known }, fallback)

  it.each([
    [404, known],
    ['404', known],
    [500, fallback],
    [undefined, fallback],
    ['constructor', fallback],
  ])('for %j', (code, expected) => {
    expect(verdictOf(code)).toBe(expected)
  })
})
