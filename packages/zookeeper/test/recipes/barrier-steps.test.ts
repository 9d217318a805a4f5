import { describe, expect, it } from 'vitest'
import {
  type BarrierRound,
  type BarrierView,
  enterStep,
  leaveStep,
  type OpenNode,
} from '../../src/recipes/double-barrier.ts'

const opening: OpenNode = { czxid: 7n, by: 'c' }
const later: OpenNode = { czxid: 9n, by: 'x' }

function sight(names: string, open?: OpenNode): BarrierView {
  return { names: [...names], open }
}

describe('coming to a barrier for three', () => {
  it.each([
    ['too few are there', sight('ab'), { kind: 'wait' }],
    ['we are the last', sight('abc'), { kind: 'open' }],
    ['it is open', sight('abc', opening), { kind: 'in', opening }],
    ['it is open, and one was fast', sight('a', opening), { kind: 'in', opening }],
    ['our part was deleted', sight('bc'), { kind: 'gone' }],
    ['our part was deleted, and it is open', sight('bc', opening), { kind: 'gone' }],
  ])('when %s', (_, seen, step) => {
    expect(enterStep(seen, 'a', 3)).toEqual(step)
  })
})

describe('going from a barrier', () => {
  const round = (own: string): BarrierRound => ({
    own,
    others: [...'abc'].filter((name) => name !== own),
    opening,
  })

  it.each<[string, string, BarrierView, unknown]>([
    ['takes its part away at once', 'a', sight('abc', opening), { kind: 'go' }],
    ['waits until it is closed', 'a', sight('bc', opening), { kind: 'wait', name: 'open' }],
    ['has left when it is closed', 'a', sight(''), { kind: 'left' }],
    ['has left when the next round has begun', 'a', sight('xyz', later), { kind: 'left' }],
    ['waits for those who stay when who opened it has died', 'a', sight('b'), { kind: 'wait', name: 'b' }],
    ['takes its part away, also then', 'a', sight('ab'), { kind: 'go' }],
  ])('one that came %s', (_, own, seen, step) => {
    expect(leaveStep(round(own), seen)).toEqual(step)
  })

  it.each<[string, BarrierView, unknown]>([
    ['waits for the others', sight('abc', opening), { kind: 'wait', name: 'a' }],
    ['one after the other', sight('bc', opening), { kind: 'wait', name: 'b' }],
    ['and closes it', sight('c', opening), { kind: 'close' }],
    ['and has left then', sight(''), { kind: 'left' }],
    ['also when the next round has begun', sight('xyz', later), { kind: 'left' }],
  ])('who opened it %s', (_, seen, step) => {
    expect(leaveStep(round('c'), seen)).toEqual(step)
  })
})
