import { describe, expect, it } from 'vitest'
import type { Endpoint } from '../../src/address/endpoint.ts'
import { EndpointRegistry } from '../../src/cluster/endpoint-registry.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { deferred } from '../../src/util/deferred.ts'

const n1: Endpoint = { host: 'n1', port: 1 }

function bench() {
  const clock = new FakeClock()
  const answer = deferred<readonly Endpoint[]>()
  const signals: AbortSignal[] = []
  const registry = new EndpointRegistry(clock, (signal) => {
    signals.push(signal)
    return answer.promise
  })
  return { clock, answer, signals, registry }
}

describe('an endpoint registry', () => {
  it('continues a refresh for the callers that still wait', async () => {
    const { answer, signals, registry } = bench()
    const [first, second] = [new AbortController(), new AbortController()]
    const gone = registry.refresh(1_000, first.signal)
    const waiting = registry.refresh(1_000, second.signal)
    first.abort(new Error('closed'))
    await expect(gone).rejects.toThrow('closed')
    expect(signals).toMatchObject([{ aborted: false }])
    answer.resolve([n1])
    await waiting
    expect(registry.view.members).toMatchObject([{ endpoint: n1 }])
  })

  it('aborts a refresh when no caller waits any more, and starts another for the next one', async () => {
    const { clock, signals, registry } = bench()
    const callers = [new AbortController(), new AbortController()]
    const gone = callers.map(({ signal }) =>
      expect(registry.refresh(1_000, signal)).rejects.toThrow('closed'),
    )
    for (const caller of callers) caller.abort(new Error('closed'))
    await Promise.all(gone)
    const late = registry.refresh(1_000, new AbortController().signal)
    expect(signals).toMatchObject([{ aborted: true }, { aborted: false }])
    const outcome = expect(late).rejects.toMatchObject({ code: 'timed-out' })
    await clock.advance(1_000)
    await outcome
    expect(clock.pending).toBe(0)
  })

  it('does not start a refresh for a caller that is aborted already', async () => {
    const { signals, registry } = bench()
    await expect(registry.refresh(1_000, AbortSignal.abort(new Error('closed')))).rejects.toThrow('closed')
    expect(signals).toEqual([])
  })

  it('remembers why the addresses could not be had, until they can', async () => {
    const clock = new FakeClock()
    let answers: (() => Promise<readonly Endpoint[]>)[] = [
      () => Promise.reject(new Error('no DNS today')),
      () => Promise.resolve([n1]),
    ]
    const registry = new EndpointRegistry(clock, () => answers[0]!())
    const { signal } = new AbortController()
    await expect(registry.refresh(1_000, signal)).rejects.toThrow('no DNS today')
    expect(registry.view.addressesError?.message).toBe('no DNS today')
    answers = answers.slice(1)
    await registry.refresh(1_000, signal)
    expect(registry.view.addressesError).toBeUndefined()
  })
})
