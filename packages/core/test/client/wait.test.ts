import { deferred, retry, runWithin, type WaitLimits } from '@ha/core/driver'
import { FakeClock, settle } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { HaError } from '../../src/errors/ha-error.ts'

function limits(clock: FakeClock, given: Partial<WaitLimits> = {}): WaitLimits {
  return {
    clock,
    limit: { timeoutMs: 100 },
    closed: new AbortController().signal,
    reason: (code, cause) => new HaError(code, cause === undefined ? 'not ready' : cause.message, { cause }),
    ...given,
  }
}

describe('runWithin', () => {
  it('resolves with the result of the work, and leaves no timer', async () => {
    const clock = new FakeClock()
    await expect(runWithin(limits(clock), async () => 'up')).resolves.toBe('up')
    expect(clock.pending).toBe(0)
  })

  it('rejects with the error of the client when the time is up', async () => {
    const clock = new FakeClock()
    const waiting = runWithin(limits(clock), () => new Promise(() => undefined))
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'timed-out', message: 'not ready' })
    await clock.advance(100)
    await outcome
  })

  it.each([
    ['aborted', new Error('enough'), 'enough'],
    ['timed-out', new HaError('timed-out', 'an outer deadline'), 'an outer deadline'],
  ])('rejects with %s when the signal of the caller fires', async (code, reason, message) => {
    const abort = new AbortController()
    const limit = { timeoutMs: 100, signal: abort.signal }
    const waiting = runWithin(limits(new FakeClock(), { limit }), () => new Promise(() => undefined))
    abort.abort(reason)
    await expect(waiting).rejects.toMatchObject({ code, message, cause: reason })
  })

  it('rejects with closed when the client closes, also before it begins', async () => {
    const close = new AbortController()
    const given = limits(new FakeClock(), { closed: close.signal })
    const waiting = runWithin(given, () => new Promise(() => undefined))
    close.abort(new HaError('closed', 'the client is closed'))
    await expect(waiting).rejects.toMatchObject({ code: 'closed' })
    await expect(runWithin(given, async () => 1)).rejects.toMatchObject({ code: 'closed' })
  })

  it('throws the error of the work unchanged and ends what the work has begun', async () => {
    let inner: AbortSignal | undefined
    const waiting = runWithin(limits(new FakeClock()), async (signal) => {
      inner = signal
      throw new Error('broken')
    })
    await expect(waiting).rejects.toThrow('broken')
    expect(inner?.aborted).toBe(true)
  })

  it('hands over a value that arrives late', async () => {
    const clock = new FakeClock()
    const work = deferred<string>()
    const late: string[] = []
    const waiting = runWithin(
      limits(clock),
      () => work.promise,
      (value) => late.push(value),
    )
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'timed-out' })
    await clock.advance(100)
    await outcome
    work.resolve('late')
    await settle()
    expect(late).toEqual(['late'])
  })
})

describe('retry', () => {
  const options = (clock: FakeClock, signal = new AbortController().signal) => ({
    clock,
    random: () => 1,
    backoff: (round: number) => 10 * (round + 1),
    isFinal: (error: unknown) => error instanceof TypeError,
    signal,
  })

  it('repeats after the back-off until the attempt succeeds', async () => {
    const clock = new FakeClock()
    const atMs: number[] = []
    const work = retry(options(clock), async (round) => {
      atMs.push(clock.now())
      if (round < 2) throw new Error('not yet')
      return round
    })
    await clock.advance(30)
    await expect(work).resolves.toBe(2)
    expect(atMs).toEqual([0, 10, 30])
  })

  it('throws a final error at once', async () => {
    await expect(
      retry(options(new FakeClock()), () => Promise.reject(new TypeError('final'))),
    ).rejects.toThrow('final')
  })

  it('ends in a pause with the reason of the signal', async () => {
    const clock = new FakeClock()
    const abort = new AbortController()
    const work = retry(options(clock, abort.signal), () => Promise.reject(new Error('not yet')))
    await settle()
    abort.abort(new Error('enough'))
    await expect(work).rejects.toThrow('enough')
    expect(clock.pending).toBe(0)
  })

  it('ends with the error of the last attempt when the signal fires under way', async () => {
    const abort = new AbortController()
    const work = retry(options(new FakeClock(), abort.signal), async () => {
      abort.abort(new Error('enough'))
      throw new Error('last')
    })
    await expect(work).rejects.toThrow('last')
  })
})
