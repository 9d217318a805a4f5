import { describe, expect, it } from 'vitest'
import {
  afterDialFailure,
  afterDialStart,
  type CircuitBreaker,
  closedBreaker,
  waitBeforeDial,
} from '../../src/policy/breaker.ts'

const error = new Error('no')
const failed = (breaker: CircuitBreaker, nowMs: number): CircuitBreaker =>
  afterDialFailure(breaker, { error, nowMs, delayMs: (round) => 100 * 2 ** round, random: () => 1 })

describe('a breaker', () => {
  it('lets everybody dial until one fails', () => {
    expect(waitBeforeDial(afterDialStart(closedBreaker), 0)).toBe(0)
  })

  it('allows no dial before the pause is over', () => {
    const open = failed(closedBreaker, 1_000)
    expect([1_000, 1_050, 1_100].map((nowMs) => waitBeforeDial(open, nowMs))).toEqual([100, 50, 0])
  })

  it('lets a single one try after the pause', () => {
    expect(waitBeforeDial(afterDialStart(failed(closedBreaker, 0)), 100)).toBe(Number.POSITIVE_INFINITY)
  })

  it('pauses for longer each time the single try fails', () => {
    const twice = failed(afterDialStart(failed(closedBreaker, 0)), 100)
    expect(waitBeforeDial(twice, 100)).toBe(200)
  })

  it('counts dials that fail side by side once', () => {
    const open = failed(closedBreaker, 0)
    expect(failed(open, 50)).toBe(open)
  })

  it('does not wait for the last fraction of a millisecond', () => {
    expect(waitBeforeDial(failed(closedBreaker, 0), 99.5)).toBe(0)
  })
})
