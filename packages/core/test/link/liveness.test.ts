import { describe, expect, it } from 'vitest'
import {
  afterTick,
  initialLiveness,
  type LivenessAction,
  type LivenessState,
  nextAction,
} from '../../src/link/liveness.ts'

const liveness = { probeAfterMs: 750, probeTimeoutMs: 1_000, quietMs: 10_000 }
const none = { kind: 'none' } as const
const answered = { kind: 'answered' } as const
const failed = { kind: 'failed' } as const
const asked = (waitedMs: number) => ({ kind: 'asked', waitedMs }) as const

describe('what a quiet period calls for', () => {
  const cases: readonly [string, Omit<LivenessState, 'received'>, LivenessAction][] = [
    ['a short one, nothing', { quietMs: 700, probe: none, endpointProbe: none }, 'wait'],
    ['a longer one, a probe', { quietMs: 750, probe: none, endpointProbe: none }, 'probe'],
    ['a probe under way, patience', { quietMs: 1_000, probe: asked(250), endpointProbe: none }, 'wait'],
    [
      'a slow probe, a probe of the endpoint beside it',
      { quietMs: 1_250, probe: asked(500), endpointProbe: none },
      'probe-endpoint',
    ],
    [
      'a probe that failed, a probe of the endpoint',
      { quietMs: 800, probe: failed, endpointProbe: none },
      'probe-endpoint',
    ],
    ['both under way, patience', { quietMs: 1_500, probe: asked(800), endpointProbe: asked(300) }, 'wait'],
    [
      'both missed, unresponsive',
      { quietMs: 1_750, probe: asked(1_000), endpointProbe: asked(500) },
      'declare-unresponsive',
    ],
    [
      'endpoint refused, unresponsive once the probe is missed',
      { quietMs: 1_750, probe: asked(1_000), endpointProbe: failed },
      'declare-unresponsive',
    ],
    [
      'endpoint refused, the probe still has its time',
      { quietMs: 1_300, probe: asked(600), endpointProbe: failed },
      'wait',
    ],
    [
      'a server that answers at the endpoint is clogged, not dead',
      { quietMs: 9_000, probe: asked(8_000), endpointProbe: answered },
      'wait',
    ],
    [
      'clogged for too long, unresponsive all the same',
      { quietMs: 10_000, probe: asked(9_000), endpointProbe: answered },
      'declare-unresponsive',
    ],
  ]

  it.each(cases)('%s', (_, state, action) => {
    expect(nextAction({ ...state, received: 0 }, liveness)).toBe(action)
  })

  it('starts anew with every byte', () => {
    const long: LivenessState = { quietMs: 1_700, received: 10, probe: asked(900), endpointProbe: asked(400) }
    expect(afterTick(long, 11, 100)).toEqual(initialLiveness(11))
  })

  it('grows by the active time', () => {
    const before: LivenessState = { quietMs: 900, received: 10, probe: asked(100), endpointProbe: none }
    expect(afterTick(before, 10, 100)).toEqual({
      quietMs: 1_000,
      received: 10,
      probe: asked(200),
      endpointProbe: none,
    })
  })
})
