import { describe, expect, it } from 'vitest'
import { type Action, judge, listen, type Silence, startListening } from '../../src/link/silence.ts'

const liveness = { probeAfterMs: 750, probeTimeoutMs: 1_000, quietMs: 10_000 }
const none = { kind: 'none' } as const
const answered = { kind: 'answered' } as const
const failed = { kind: 'failed' } as const
const asked = (waitedMs: number) => ({ kind: 'asked', waitedMs }) as const

describe('what a silence calls for', () => {
  const cases: readonly [string, Omit<Silence, 'received'>, Action][] = [
    ['a short one, nothing', { quietMs: 700, probe: none, knock: none }, 'listen'],
    ['a longer one, a probe', { quietMs: 750, probe: none, knock: none }, 'probe'],
    ['a probe under way, patience', { quietMs: 1_000, probe: asked(250), knock: none }, 'listen'],
    ['a slow probe, a knock beside it', { quietMs: 1_250, probe: asked(500), knock: none }, 'knock'],
    ['a probe that failed, a knock', { quietMs: 800, probe: failed, knock: none }, 'knock'],
    ['both under way, patience', { quietMs: 1_500, probe: asked(800), knock: asked(300) }, 'listen'],
    ['both missed, an accusation', { quietMs: 1_750, probe: asked(1_000), knock: asked(500) }, 'accuse'],
    [
      'refused at the door, an accusation once the probe is missed',
      { quietMs: 1_750, probe: asked(1_000), knock: failed },
      'accuse',
    ],
    [
      'refused at the door, the probe still has its time',
      { quietMs: 1_300, probe: asked(600), knock: failed },
      'listen',
    ],
    [
      'a server that answers knocks is clogged, not dead',
      { quietMs: 9_000, probe: asked(8_000), knock: answered },
      'listen',
    ],
    [
      'clogged for too long, an accusation all the same',
      { quietMs: 10_000, probe: asked(9_000), knock: answered },
      'accuse',
    ],
  ]

  it.each(cases)('%s', (_, silence, action) => {
    expect(judge({ ...silence, received: 0 }, liveness)).toBe(action)
  })

  it('starts anew with every byte', () => {
    const long: Silence = { quietMs: 1_700, received: 10, probe: asked(900), knock: asked(400) }
    expect(listen(long, 11, 100)).toEqual(startListening(11))
  })

  it('grows by the time in which something could have been heard', () => {
    const before: Silence = { quietMs: 900, received: 10, probe: asked(100), knock: none }
    expect(listen(before, 10, 100)).toEqual({ quietMs: 1_000, received: 10, probe: asked(200), knock: none })
  })
})
