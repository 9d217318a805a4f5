import { FakeClock } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { type CheckResult, HealthCheckLoop } from '../../src/discovery/health-gate.ts'

interface Heard {
  readonly atMs: number
  readonly said: string
}

function asking(check: (signal: AbortSignal, time: FakeClock) => boolean | Promise<boolean>) {
  const clock = new FakeClock()
  const stop = new AbortController()
  const heard: Heard[] = []
  const hear = (answer: CheckResult): void => {
    heard.push({ atMs: clock.now(), said: answer.passed ? 'yes' : answer.error.message })
  }
  const gate = { check: (signal: AbortSignal) => check(signal, clock), intervalMs: 1_000, timeoutMs: 400 }
  const run = new HealthCheckLoop(gate, clock).run(stop.signal, hear)
  run.catch(() => undefined)
  return { clock, stop, heard, run }
}

describe('the checks of a health gate', () => {
  it('are asked at once and at the interval', async () => {
    const { clock, heard } = asking(() => true)
    await clock.advance(2_000)
    expect(heard.map(({ atMs }) => atMs)).toEqual([0, 1_000, 2_000])
  })

  it('keep to the interval however long they take', async () => {
    const { clock, heard } = asking((_signal, time) => time.sleep(300).then(() => true))
    await clock.advance(2_500)
    expect(heard.map(({ atMs }) => atMs)).toEqual([300, 1_300, 2_300])
  })

  it.each([
    ['false', (): boolean => false, 'the health check returned false'],
    ['what is no boolean', () => 'fine' as unknown as boolean, 'the health check returned false'],
    ['an error', () => Promise.reject(new Error('disk full')), 'disk full'],
    [
      'an error at once',
      () => {
        throw new Error('disk full')
      },
      'disk full',
    ],
  ])('fail with %s', async (_, check, said) => {
    const { clock, heard } = asking(check)
    await clock.advance(0)
    expect(heard).toEqual([{ atMs: 0, said }])
  })

  it('fail without an answer in time, and fire the signal', async () => {
    let ended = false
    const { clock, heard } = asking(
      (signal) =>
        new Promise<boolean>(() =>
          signal.addEventListener('abort', () => {
            ended = true
          }),
        ),
    )
    await clock.advance(400)
    expect({ heard, ended }).toEqual({
      heard: [{ atMs: 400, said: 'the health check did not answer within 400 ms' }],
      ended: true,
    })
  })

  it('are not piled up on one that hangs', async () => {
    let asked = 0
    const { clock, heard } = asking(() => {
      asked += 1
      return new Promise<boolean>(() => undefined)
    })
    await clock.advance(10_000)
    expect({ asked, failures: heard.length }).toEqual({ asked: 1, failures: 11 })
  })

  it('go on when the one that hung returns', async () => {
    let release = (): void => undefined
    let hangs = true
    const { clock, heard } = asking(() => {
      if (!hangs) return true
      hangs = false
      return new Promise<boolean>((resolve) => {
        release = () => resolve(true)
      })
    })
    await clock.advance(1_500)
    release()
    await clock.advance(500)
    expect(heard.at(-1)).toEqual({ atMs: 2_000, said: 'yes' })
  })

  it('end with the signal, also in the middle of one, and leave no timer behind', async () => {
    const { clock, stop, run } = asking(() => new Promise<boolean>(() => undefined))
    await clock.advance(100)
    stop.abort(new Error('enough'))
    await expect(run).rejects.toThrow('enough')
    expect(clock.pending).toBe(0)
  })
})
