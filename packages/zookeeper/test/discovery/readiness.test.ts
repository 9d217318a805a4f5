import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { afterCheck, initialReadiness, type ReadinessRules } from '../../src/discovery/health-gate.ts'

const rules: ReadinessRules = { failures: 3, successes: 2, warmupMs: 0, minDwellMs: 10_000 }

/** One letter a check, one check a second: `+` passed, `-` failed. Returns the readiness after each: `s`, `r` or `u`. */
function readinessAfter(checks: string, given: Partial<ReadinessRules> = {}): string {
  let readiness = initialReadiness(0)
  let kinds = ''
  for (const [second, check] of [...checks].entries()) {
    readiness = afterCheck(readiness, check === '+', second * 1_000, { ...rules, ...given })
    kinds += readiness.kind.charAt(0)
  }
  return kinds
}

describe('the readiness of an instance', () => {
  it.each([
    ['is given by the first check that passes', '--+', {}, 'ssr'],
    ['takes the time to warm up', '++++', { warmupMs: 2_000 }, 'ssrr'],
    ['counts the time to warm up from the last failure', '+-+++', { warmupMs: 2_000 }, 'sssrr'],
    ['is lost by so many failures in a row', '+---', {}, 'rrru'],
    ['is not lost by failures with a success between them', '+--+--+--', {}, 'rrrrrrrrr'],
    ['is regained by so many successes in a row', '+---++', { minDwellMs: 0 }, 'rrruur'],
    ['is regained only after a while without a failure', '+---++++++', { minDwellMs: 4_000 }, 'rrruuuurrr'],
    ['has to wait anew after each failure', '+---++-+++++', { minDwellMs: 4_000 }, 'rrruuuuuuurr'],
  ])('%s', (_, checks, given, kinds) => {
    expect(readinessAfter(checks, given)).toBe(kinds)
  })

  it('changes once under a check that flaps every second, however long', () => {
    const flapping = `+---${'+-'.repeat(500)}`
    expect(changesIn(readinessAfter(flapping))).toBe(1)
  })

  it('is regained at most once in each time to dwell, whatever the checks say', () => {
    fc.assert(
      fc.property(checkLists, (checks) => {
        const kinds = readinessAfter(checks, { failures: 1, successes: 1 })
        const regained = [...kinds.matchAll(/(?<=u)r/g)].map(({ index }) => index * 1_000)
        for (const [nth, atMs] of regained.slice(1).entries()) {
          expect(atMs - regained[nth]!).toBeGreaterThanOrEqual(rules.minDwellMs)
        }
      }),
    )
  })

  it('is lost exactly when so many checks in a row have failed', () => {
    fc.assert(
      fc.property(checkLists, (checks) => {
        const kinds = readinessAfter(checks)
        for (const [at, kind] of [...kinds].entries()) {
          const lost = kind === 'u' && kinds[at - 1] === 'r'
          const failed = checks.slice(0, at + 1).endsWith('---')
          if (kinds[at - 1] === 'r') expect(lost).toBe(failed)
        }
      }),
    )
  })

  it('is only regained after so many successes', () => {
    fc.assert(
      fc.property(checkLists, (checks) => {
        const kinds = readinessAfter(checks, { minDwellMs: 0 })
        for (const { index } of kinds.matchAll(/(?<=u)r/g)) {
          expect(checks.slice(0, index + 1)).toMatch(/\+\+$/)
        }
      }),
    )
  })
})

const checkLists = fc
  .array(fc.constantFrom('+', '-', '---', '+'.repeat(11)), { maxLength: 40 })
  .map((pieces) => pieces.join(''))

function changesIn(kinds: string): number {
  return [...kinds].filter((kind, at) => at > 0 && kind !== kinds[at - 1]).length
}
