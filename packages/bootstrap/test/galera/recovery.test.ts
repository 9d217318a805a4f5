import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decideRecovery,
  type Evidence,
  type RecoveryConstraints,
  type RecoveryDecision,
  type SourceState,
} from '../../src/galera/recovery.ts'

type Down = Extract<SourceState, { kind: 'down' }>

const down = (position: number | null, more: Partial<Down> = {}): SourceState => ({
  kind: 'down',
  history: 'h',
  position,
  from: 'grastate.dat',
  isMarkedSafe: false,
  lastView: null,
  ...more,
})
const empty = down(null, { history: null })
const alone = (position: number): SourceState => ({ kind: 'without-majority', history: 'h', position })
const frozen: SourceState = { kind: 'unknown', because: 'it is frozen' }
const named = (standings: readonly SourceState[]): readonly Evidence[] =>
  standings.map((standing, i) => ({ node: `db${i + 1}`, standing }))
const decide = (
  standings: readonly SourceState[],
  wish: Partial<RecoveryConstraints> = {},
): RecoveryDecision => decideRecovery(named(standings), { assumeLost: [], mayReunite: true, ...wish })

test('where one has a majority nothing is founded, whatever the others say', () => {
  const primary: SourceState = { kind: 'primary', history: 'h', position: 3 }

  expect(decide([down(9, { isMarkedSafe: true }), primary, frozen])).toMatchObject({ kind: 'join' })
})

describe('of nodes that run without a majority', () => {
  test('the farthest is made the whole cluster', () => {
    expect(decide([alone(3), alone(5), down(5)])).toMatchObject({ kind: 'promote', node: 'db2' })
  })

  test('none is while one that is down is ahead', () => {
    expect(decide([alone(3), down(4), down(1)])).toEqual({
      kind: 'refuse',
      because: 'db2 is down and ahead of db1; first run: hactl resume db2',
    })
  })
})

describe('of nodes that are all down', () => {
  test('the one that stopped last founds the cluster', () => {
    expect(decide([down(5), down(5, { isMarkedSafe: true }), down(4)])).toMatchObject({
      kind: 'bootstrap',
      node: 'db2',
      because: 'it stopped last and is the most advanced of one history, at 5',
    })
  })

  test('after a crash the farthest does, of equals the first', () => {
    expect(decide([down(4), down(6), down(6)])).toMatchObject({ kind: 'bootstrap', node: 'db2' })
  })

  test('an empty joiner is no source, though it is marked as the last', () => {
    expect(decide([{ ...empty, isMarkedSafe: true } as SourceState, down(1), down(2)])).toMatchObject({
      kind: 'bootstrap',
      node: 'db3',
    })
  })

  test('those that crashed in one view are started together', () => {
    const inOne = down(4, { lastView: 'v' })

    expect(decide([inOne, inOne, down(6, { lastView: 'v' })])).toMatchObject({ kind: 'reunite' })
    expect(decide([inOne, inOne, inOne], { mayReunite: false })).toMatchObject({ kind: 'bootstrap' })
    expect(decide([inOne, inOne, down(6, { lastView: 'w' })])).toMatchObject({ kind: 'bootstrap' })
    expect(decide([inOne, inOne, inOne], { assumeLost: ['db1'] })).toMatchObject({ kind: 'bootstrap' })
  })
})

test.each<[string, readonly SourceState[], string]>([
  ['a node that cannot be asked', [down(5), down(5), frozen], '--assume-lost db3'],
  ['data whose position nobody knows', [down(5), down(null), down(5)], '--assume-lost db2'],
  ['two histories', [down(5), down(9, { history: 'g' })], 'h on db1, g on db2'],
  ['only empty nodes', [empty, empty], 'no node has data'],
  [
    'two that stopped last',
    [down(5, { isMarkedSafe: true }), down(5, { isMarkedSafe: true })],
    'db1 and db2 are both marked as the last to stop',
  ],
  [
    'one that stopped last and is behind',
    [down(5, { isMarkedSafe: true }), down(6)],
    'db1 is marked as the last to stop, but db2 is ahead of it',
  ],
])('%s is refused, and the message says what is in the way', (_, standings, because) => {
  expect(decide(standings)).toMatchObject({ kind: 'refuse', because: expect.stringContaining(because) })
})

test('a node that is given up by name no longer counts', () => {
  const standings = [down(5), frozen, down(9, { history: 'g' })]

  expect(decide(standings, { assumeLost: ['db2', 'db3'] })).toMatchObject({
    kind: 'bootstrap',
    node: 'db1',
  })
})

test('whatever is found, the source is never behind another node of its only history', () => {
  const standing = fc.oneof(
    fc.record({
      position: fc.option(fc.nat(4)),
      history: fc.constantFrom('h', 'h', 'h', 'g', null),
      isMarkedSafe: fc.boolean(),
      lastView: fc.constantFrom(null, 'v'),
    }),
    fc.constant(null),
  )
  fc.assert(
    fc.property(fc.array(standing, { minLength: 1, maxLength: 5 }), (drawn) => {
      const standings = drawn.map((one) => (one === null ? frozen : down(one.position, one)))
      const decision = decide(standings, { mayReunite: false })
      if (decision.kind === 'refuse') return
      const known = standings.filter((one): one is Down => one.kind === 'down' && one.history !== null)
      const source = named(standings).find(({ node }) => 'node' in decision && node === decision.node)

      expect(standings).not.toContain(frozen)
      expect(new Set(known.map(({ history }) => history)).size).toBe(1)
      expect(source?.standing).toMatchObject({
        position: Math.max(...known.map(({ position }) => position ?? Number.NaN)),
      })
    }),
    { numRuns: 500 },
  )
})
