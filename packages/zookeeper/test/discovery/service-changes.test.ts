import { Notifier } from '@ha/core/driver'
import { settle } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import type { Instance } from '../../src/discovery/instance.ts'
import { changeBetween, changesOf } from '../../src/discovery/instance-list.ts'
import { idsOf, instance } from './instances.ts'

const [a, b, c] = [instance('a'), instance('b'), instance('c')]

describe('the difference between two lists', () => {
  it('is what came, what changed and what went', () => {
    const moved = instance('b', { address: '10.0.0.9' })
    expect(changeBetween([a, b], [moved, c])).toEqual({ added: [c], changed: [moved], removed: [a] })
  })

  it('is none when both say the same, in whatever order', () => {
    expect(changeBetween([a, b], [instance('b'), instance('a')])).toBeUndefined()
  })
})

describe('the differences of a list that changes', () => {
  function following() {
    const pulse = new Notifier()
    const stop = new AbortController()
    let list: readonly Instance[] = [a]
    const change = (to: readonly Instance[]): void => {
      list = to
      pulse.notifyAll()
    }
    return { change, stop, told: changesOf(() => list, pulse, stop.signal) }
  }

  it('begin with all of it', async () => {
    const { told } = following()
    expect(await told.next()).toMatchObject({ value: { added: [a], removed: [] } })
  })

  it('become one for who is slow', async () => {
    const { told, change } = following()
    await told.next()
    change([a, b])
    change([b])
    change([b, c])
    expect(await told.next()).toMatchObject({ value: { added: [b, c], removed: [a] } })
  })

  it('do not tell of what came and went meanwhile', async () => {
    const { told, change } = following()
    await told.next()
    change([a, b])
    change([a])
    const next = told.next()
    await settle()
    change([a, c])
    const { value } = await next
    expect(idsOf(value!.added)).toEqual(['c'])
  })

  it('end with the signal', async () => {
    const { told, stop } = following()
    await told.next()
    const next = told.next()
    stop.abort()
    expect(await next).toEqual({ value: undefined, done: true })
  })
})
