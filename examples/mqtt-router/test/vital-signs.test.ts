import { describe, expect, it } from 'vitest'
import { complaintOf, type Sign } from '../src/gateway/vital-signs.ts'

const limits = { maxLatencyMs: 250, maxErrors: 2, window: 10 }
const well: Sign = { kind: 'answered', latencyMs: 3 }
const slow: Sign = { kind: 'answered', latencyMs: 400 }
const failed: Sign = { kind: 'failed', error: new Error('refused') }

describe('the vital signs of a gateway', () => {
  it.each([
    ['well', [well, well], undefined],
    ['well again after being slow', [slow, well], undefined],
    ['down', [well, failed], 'refused'],
    ['slow', [well, slow], 'slow: 400 ms for a message, more than 250'],
    ['well with a few errors', [failed, well, failed, well], undefined],
    [
      'failing now and then',
      [failed, well, failed, well, failed, well],
      'failing: 3 errors in the last 10 looks',
    ],
    ['well when its errors are long ago', [failed, failed, failed, ...Array<Sign>(10).fill(well)], undefined],
  ])('say that it is %s', (_name, signs, complaint) => {
    expect(complaintOf(signs, limits)).toBe(complaint)
  })
})
