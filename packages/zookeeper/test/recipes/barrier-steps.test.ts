import { describe, expect, it } from 'vitest'
import {
  type BarrierRound,
  type BarrierView,
  enterStep,
  leaveStep,
  type OpenNode,
} from '../../src/recipes/double-barrier.ts'

const open: OpenNode = { czxid: 7n, by: 'c' }
const later: OpenNode = { czxid: 9n, by: 'x' }

function view(names: string, openNode?: OpenNode): BarrierView {
  return { names: [...names], open: openNode }
}

describe('entering a barrier for three', () => {
  it.each([
    ['too few are there', view('ab'), { kind: 'wait' }],
    ['we are the last', view('abc'), { kind: 'open' }],
    ['it is open', view('abc', open), { kind: 'entered', open }],
    ['it is open, and one was fast', view('a', open), { kind: 'entered', open }],
    ['our node was deleted', view('bc'), { kind: 'missing' }],
    ['our node was deleted, and it is open', view('bc', open), { kind: 'missing' }],
  ])('when %s', (_, barrierView, step) => {
    expect(enterStep(barrierView, 'a', 3)).toEqual(step)
  })
})

describe('leaving a barrier', () => {
  const round = (own: string): BarrierRound => ({
    own,
    others: [...'abc'].filter((name) => name !== own),
    open,
  })

  it.each<[string, string, BarrierView, unknown]>([
    ['deletes its node at once', 'a', view('abc', open), { kind: 'delete-own' }],
    ['waits until it is closed', 'a', view('bc', open), { kind: 'wait', name: 'open' }],
    ['has left when it is closed', 'a', view(''), { kind: 'left' }],
    ['has left when the next round has begun', 'a', view('xyz', later), { kind: 'left' }],
    [
      'waits for those who stay when the one that opened it has died',
      'a',
      view('b'),
      { kind: 'wait', name: 'b' },
    ],
    ['deletes its node, also then', 'a', view('ab'), { kind: 'delete-own' }],
  ])('a member %s', (_, own, barrierView, step) => {
    expect(leaveStep(round(own), barrierView)).toEqual(step)
  })

  it.each<[string, BarrierView, unknown]>([
    ['waits for the others', view('abc', open), { kind: 'wait', name: 'a' }],
    ['one after the other', view('bc', open), { kind: 'wait', name: 'b' }],
    ['and closes it', view('c', open), { kind: 'close' }],
    ['and has left then', view(''), { kind: 'left' }],
    ['also when the next round has begun', view('xyz', later), { kind: 'left' }],
  ])('the one that opened it %s', (_, barrierView, step) => {
    expect(leaveStep(round('c'), barrierView)).toEqual(step)
  })
})
