import { describe, expect, it } from 'vitest'
import type { Node } from '../../src/node.ts'
import {
  type DesiredNode,
  nextStep,
  type OwnershipClaim,
  ownerOf,
} from '../../src/recipes/ephemeral-reconciler.ts'
import { nodeOf } from '../cache/node-of.ts'

const current = 30n
const earlier = 20n
const otherClient = 99n

const claim: OwnershipClaim = {
  sessionId: current,
  wasOurs: (id) => id === earlier,
  lastHeld: undefined,
  takesOver: () => false,
}

const present: DesiredNode = { kind: 'present', data: Buffer.from('mine') }
const absent: DesiredNode = { kind: 'absent' }

function held(owner: bigint, data = 'mine'): Node {
  return nodeOf(data, { ephemeralOwner: owner, version: 7, czxid: 500n })
}

function step(node: Node | undefined, desired: DesiredNode, more: Partial<OwnershipClaim> = {}): string {
  const next = nextStep(node, desired, { ...claim, ...more })
  return 'version' in next ? `${next.kind} at ${next.version}` : next.kind
}

describe('a node that is wanted', () => {
  it.each([
    ['is made when there is none', undefined, 'create'],
    ['is left alone when our session holds it', held(current), 'settled'],
    [
      'is written, not made again, when our session holds it with other data',
      held(current, 'old'),
      'write at 7',
    ],
    ['replaces that of a session that was ours', held(earlier), 'replace at 7'],
    ['replaces it also when it has the same data', held(earlier, 'mine'), 'replace at 7'],
    ['waits for the end of another client’s', held(otherClient), 'wait'],
    ['waits for one that belongs to no session', held(0n), 'wait'],
  ] as const)('%s', (_what, node, expected) => {
    expect(step(node, present)).toBe(expected)
  })
})

describe('a node that is not wanted', () => {
  it.each([
    ['needs nothing when there is none', undefined, 'settled'],
    ['is removed when our session holds it', held(current), 'delete at 7'],
    ['is removed when a session of ours held it', held(earlier), 'delete at 7'],
    ['is left alone when it is another client’s', held(otherClient), 'settled'],
    ['is left alone when it belongs to no session', held(0n), 'settled'],
  ] as const)('%s', (_what, node, expected) => {
    expect(step(node, absent)).toBe(expected)
  })
})

describe('taking over', () => {
  const takesOver = (node: Node): boolean => node.data.toString() === 'mine'

  it('replaces another client’s node that is an earlier life of ours', () => {
    expect(step(held(otherClient), present, { takesOver })).toBe('replace at 7')
  })

  it('removes one when ours is not wanted, so that it does not stand for us', () => {
    expect(step(held(otherClient), absent, { takesOver })).toBe('delete at 7')
  })

  it('leaves one alone that does not look like ours', () => {
    expect(step(held(otherClient, 'theirs'), present, { takesOver })).toBe('wait')
  })

  it('never takes a node back from who came after us', () => {
    expect(step(held(otherClient), present, { takesOver, lastHeld: 499n })).toBe('wait')
  })

  it('takes one that is older than what we held', () => {
    expect(step(held(otherClient), present, { takesOver, lastHeld: 501n })).toBe('replace at 7')
  })

  it('does not ask about a node of the current session', () => {
    const asks = (): boolean => {
      throw new Error('asked about our own')
    }
    expect(ownerOf(held(current), { ...claim, takesOver: asks })).toBe('this-session')
  })
})
