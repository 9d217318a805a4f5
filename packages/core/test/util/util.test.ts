import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, it, vi } from 'vitest'
import { HaError, isHaError } from '../../src/errors/ha-error.ts'
import { FakeClock, settle } from '../../src/testing/fake-clock.ts'
import { linkedController, pooledController, raceAbort, withDeadline } from '../../src/util/abort.ts'
import { ActiveTime } from '../../src/util/active-time.ts'
import { systemClock } from '../../src/util/clock.ts'
import { deferred } from '../../src/util/deferred.ts'
import { Emitter } from '../../src/util/emitter.ts'
import { Notifier } from '../../src/util/notifier.ts'

const expired = () => new HaError('timed-out', 'too late')

describe('a deadline', () => {
  it('ends work that ignores its signal, and hands over what arrives late', async () => {
    const clock = new FakeClock()
    const slow = deferred<string>()
    const late: string[] = []
    const work = withDeadline(
      clock,
      { timeoutMs: 100, expired },
      () => slow.promise,
      (value) => late.push(value),
    )
    const outcome = expect(work).rejects.toMatchObject({ code: 'timed-out' })
    await clock.advance(100)
    await outcome
    slow.resolve('late')
    await settle()
    expect(late).toEqual(['late'])
  })

  it('is over with the work: no timer and no listener stays', async () => {
    const clock = new FakeClock()
    const parent = new AbortController()
    const removed = vi.spyOn(parent.signal, 'removeEventListener')
    await withDeadline(clock, { timeoutMs: 100, signal: parent.signal, expired }, async () => 1)
    expect(clock.pending).toBe(0)
    expect(removed).toHaveBeenCalled()
  })

  it('does not even begin when the caller’s signal has fired', async () => {
    const work = vi.fn(async () => 1)
    const signal = AbortSignal.abort(new Error('before'))
    await expect(withDeadline(new FakeClock(), { timeoutMs: 1, signal, expired }, work)).rejects.toThrow(
      'before',
    )
    expect(work).not.toHaveBeenCalled()
  })
})

describe('a scope', () => {
  it('fires with any of its parents', () => {
    const [a, b] = [new AbortController(), new AbortController()]
    const scope = linkedController(a.signal, undefined, b.signal)
    b.abort('b')
    expect(scope.signal.reason).toBe('b')
  })

  it('lets go of its parents when it ends', () => {
    const parent = new AbortController()
    const scope = linkedController(parent.signal)
    scope.unlink()
    parent.abort('too late')
    expect(scope.signal.aborted).toBe(false)
  })

  it('is born fired below a parent that has fired', () => {
    expect(linkedController(AbortSignal.abort('old')).signal.reason).toBe('old')
  })
})

describe('many scopes below one signal', () => {
  it.each([
    ['that stay', (signal: AbortSignal) => linkedController(signal)],
    ['that pass', (signal: AbortSignal) => pooledController(signal)],
  ] as const)('%s are no leak to warn of', async (_which, below) => {
    const warned: string[] = []
    const onWarning = ({ name }: Error): number => warned.push(name)
    process.on('warning', onWarning)
    const { signal } = new AbortController()
    const scopes = Array.from({ length: 11 }, () => below(signal))
    // Node warns in its next turn.
    await new Promise((resolve) => setImmediate(resolve))
    for (const scope of scopes) scope.unlink()
    process.off('warning', onWarning)
    expect(warned).toEqual([])
  })
})

describe('abandonable work', () => {
  it('that fails late causes no unhandled rejection', async () => {
    const slow = deferred<number>()
    const controller = new AbortController()
    const outcome = expect(raceAbort(slow.promise, controller.signal, () => undefined)).rejects.toBe('enough')
    controller.abort('enough')
    slow.reject(new Error('late'))
    await outcome
  })
})

describe('an emitter', () => {
  type Map = { readonly told: string }

  it('isolates listeners that throw and that reject', async () => {
    const failures: unknown[] = []
    const listen = (message: unknown) => failures.push(message)
    subscribe('ha:listener-failed', listen)
    const emitter = new Emitter<Map>()
    const heard: string[] = []
    emitter.on('told', () => {
      throw new Error('bad listener')
    })
    emitter.on('told', () => Promise.reject(new Error('bad async listener')))
    emitter.on('told', (text) => {
      heard.push(text)
    })
    emitter.emit('told', 'news')
    await settle()
    unsubscribe('ha:listener-failed', listen)
    expect(heard).toEqual(['news'])
    expect(failures).toMatchObject([{ event: 'told' }, { event: 'told' }])
  })

  it('calls a listener in the context in which it was added, whatever another one enters', () => {
    const context = new AsyncLocalStorage<string>()
    const emitter = new Emitter<Map>()
    const heard: (string | undefined)[] = []
    const listen = (): void => {
      heard.push(context.getStore())
      context.enterWith('left behind')
    }
    context.run('a', () => emitter.on('told', listen))
    context.run('b', () => emitter.once('told', listen))
    emitter.on('told', listen)
    for (const caller of ['first', 'second']) context.run(caller, () => emitter.emit('told', 'news'))
    expect(heard).toEqual(['a', 'b', undefined, 'a', undefined])
  })

  it('stops calling a listener that was removed, and calls a once listener once', () => {
    const emitter = new Emitter<Map>()
    const heard: string[] = []
    emitter.on('told', (text) => void heard.push(`on ${text}`))()
    emitter.once('told', (text) => void heard.push(`once ${text}`))
    emitter.emit('told', '1')
    emitter.emit('told', '2')
    expect(heard).toEqual(['once 1'])
  })
})

describe('a pulse', () => {
  it('wakes all current waiters, and none that come later', async () => {
    const pulse = new Notifier()
    const { signal } = new AbortController()
    const now = pulse.wait(signal)
    pulse.notifyAll()
    await now
    let woken = false
    void pulse.wait(signal).then(() => {
      woken = true
    })
    await settle()
    expect(woken).toBe(false)
  })

  it('lets go of a wait that is given up', async () => {
    const controller = new AbortController()
    const wait = expect(new Notifier().wait(controller.signal)).rejects.toBe('enough')
    controller.abort('enough')
    await wait
  })
})

describe('attention', () => {
  it('counts no more than one tick, however long the process was away', async () => {
    const clock = new FakeClock()
    const attention = new ActiveTime(clock, 100)
    await clock.advance(100)
    expect(attention.tick()).toBe(100)
    await clock.block(4_000)
    expect(attention.tick()).toBe(100)
  })
})

describe('the clock of this machine', () => {
  it('keeps a longer time than a timer can hold', async () => {
    const fired = vi.fn()
    const cancel = systemClock.after(2 ** 40, fired)
    await systemClock.sleep(5)
    cancel()
    expect(fired).not.toHaveBeenCalled()
  })

  it('ends a sleep with the reason of its signal', async () => {
    await expect(systemClock.sleep(60_000, AbortSignal.timeout(1))).rejects.toThrow('timeout')
  })
})

describe('an HaError', () => {
  it('keeps its cause and is known across copies of the package', () => {
    const cause = new Error('below')
    const error = new HaError('lost', 'gone', { cause, outcome: 'unknown' })
    expect(error).toMatchObject({ name: 'HaError', code: 'lost', outcome: 'unknown', cause, attempts: [] })
    const copy = { [Symbol.for('@ha/error')]: true }
    expect([isHaError(error), isHaError(copy), isHaError(cause), isHaError(null)]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})
