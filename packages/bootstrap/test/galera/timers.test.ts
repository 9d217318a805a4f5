import { expect, test } from 'vitest'
import { galeraTimers } from '../../src/galera/model.ts'

const seconds = (period: string | undefined): number => Number(/^PT([\d.]+)S$/.exec(period ?? '')?.[1])

test('without a promise the provider keeps its own timers', () => {
  expect(galeraTimers(null)).toEqual({})
})

test.each([500, 1000, 1500, 5000, 60_000])('timers for %d ms are such as the provider takes', (detectMs) => {
  const timers = galeraTimers(detectMs)
  const [keepalive, check, suspect, inactive, install] = [
    'evs.keepalive_period',
    'evs.inactive_check_period',
    'evs.suspect_timeout',
    'evs.inactive_timeout',
    'evs.install_timeout',
  ].map((name) => seconds(timers[name as keyof typeof timers]))

  expect(suspect).toBe(detectMs / 1000)
  expect(keepalive).toBeGreaterThanOrEqual(0.1)
  expect(keepalive).toBeLessThanOrEqual((suspect ?? 0) / 3)
  expect(check).toBeLessThanOrEqual((suspect ?? 0) / 2)
  expect(inactive).toBeGreaterThanOrEqual(suspect ?? 0)
  expect(install).toBeGreaterThanOrEqual(keepalive ?? 0)
  expect(install).toBeLessThanOrEqual(inactive ?? 0)
  expect(seconds(timers['evs.join_retrans_period'])).toBeLessThanOrEqual((install ?? 0) / 3)
})
