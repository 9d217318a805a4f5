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
  const roster = new EndpointRegistry(clock, (signal) => {
    signals.push(signal)
    return answer.promise
  })
  return { clock, answer, signals, roster }
}

describe('a roster', () => {
  it('goes on asking for whoever still waits when the first who asked has gone', async () => {
    const { answer, signals, roster } = bench()
    const [first, second] = [new AbortController(), new AbortController()]
    const gone = roster.refresh(1_000, first.signal)
    const waiting = roster.refresh(1_000, second.signal)
    first.abort(new Error('closed'))
    await expect(gone).rejects.toThrow('closed')
    expect(signals).toMatchObject([{ aborted: false }])
    answer.resolve([n1])
    await waiting
    expect(roster.view.members).toMatchObject([{ endpoint: n1 }])
  })

  it('stops asking when nobody waits any more, and asks anew for the next one', async () => {
    const { clock, signals, roster } = bench()
    const callers = [new AbortController(), new AbortController()]
    const gone = callers.map(({ signal }) => expect(roster.refresh(1_000, signal)).rejects.toThrow('closed'))
    for (const caller of callers) caller.abort(new Error('closed'))
    await Promise.all(gone)
    const late = roster.refresh(1_000, new AbortController().signal)
    expect(signals).toMatchObject([{ aborted: true }, { aborted: false }])
    const outcome = expect(late).rejects.toMatchObject({ code: 'timed-out' })
    await clock.advance(1_000)
    await outcome
    expect(clock.pending).toBe(0)
  })

  it('does not ask at all for somebody who has gone already', async () => {
    const { signals, roster } = bench()
    await expect(roster.refresh(1_000, AbortSignal.abort(new Error('closed')))).rejects.toThrow('closed')
    expect(signals).toEqual([])
  })

  it('remembers why the addresses could not be had, until they can', async () => {
    const clock = new FakeClock()
    let answers: (() => Promise<readonly Endpoint[]>)[] = [
      () => Promise.reject(new Error('no DNS today')),
      () => Promise.resolve([n1]),
    ]
    const roster = new EndpointRegistry(clock, () => answers[0]!())
    const { signal } = new AbortController()
    await expect(roster.refresh(1_000, signal)).rejects.toThrow('no DNS today')
    expect(roster.view.addressesError?.message).toBe('no DNS today')
    answers = answers.slice(1)
    await roster.refresh(1_000, signal)
    expect(roster.view.addressesError).toBeUndefined()
  })
})
