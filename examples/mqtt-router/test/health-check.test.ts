import { describe, expect, it } from 'vitest'
import { type CheckResult, unhealthyReason } from '../src/gateway/health-check.ts'

const limits = { maxLatencyMs: 250, maxErrors: 2, window: 10 }
const healthy: CheckResult = { kind: 'answered', latencyMs: 3 }
const slow: CheckResult = { kind: 'answered', latencyMs: 400 }
const failed: CheckResult = { kind: 'failed', error: new Error('refused') }

describe('the health of a gateway', () => {
  it.each([
    ['well', [healthy, healthy], undefined],
    ['well again after being slow', [slow, healthy], undefined],
    ['down', [healthy, failed], 'refused'],
    ['slow', [healthy, slow], 'slow: a message took 400 ms, limit 250 ms'],
    ['well with a few errors', [failed, healthy, failed, healthy], undefined],
    [
      'failing now and then',
      [failed, healthy, failed, healthy, failed, healthy],
      'failing: 3 errors in the last 10 checks',
    ],
    [
      'well when its errors are long ago',
      [failed, failed, failed, ...Array<CheckResult>(10).fill(healthy)],
      undefined,
    ],
  ])('say that it is %s', (_name, results, reason) => {
    expect(unhealthyReason(results, limits)).toBe(reason)
  })
})
