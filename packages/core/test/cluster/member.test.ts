import { describe, expect, it } from 'vitest'
import {
  type HealthRules,
  type Member,
  type Observation,
  unknownEndpoint,
  withObservation,
} from '../../src/cluster/cluster-view.ts'

const error = new Error('gone')
const rules: HealthRules = { downAfter: 2, probationMs: 3_000 }
const lastSight: HealthRules = { downAfter: 1, probationMs: 0 }

type Short = 'reached' | 'read' | 'missed' | 'failed' | 'reported'

// What is seen at which second, and what is believed then: health, failures, and since which second.
const stories: Readonly<Record<string, readonly [HealthRules, ...(readonly [Short, number, string])[]]>> = {
  'a host that was never up is trusted at its first answer': [
    rules,
    ['missed', 1, 'unknown 1 0'],
    ['missed', 2, 'down 2 2'],
    ['reached', 3, 'up 0 3'],
  ],
  'one miss makes it suspect, an answer clears it': [
    rules,
    ['read', 1, 'up 0 1'],
    ['missed', 2, 'suspect 1 2'],
    ['reached', 3, 'up 0 3'],
  ],
  'two misses in a row are the end': [
    rules,
    ['read', 1, 'up 0 1'],
    ['missed', 2, 'suspect 1 2'],
    ['missed', 3, 'down 2 3'],
    ['missed', 4, 'down 3 3'],
  ],
  'a refusal needs no second look': [rules, ['read', 1, 'up 0 1'], ['failed', 2, 'down 1 2']],
  'one that was down has to prove itself': [
    rules,
    ['read', 1, 'up 0 1'],
    ['failed', 2, 'down 1 2'],
    ['read', 3, 'probation 0 3'],
    ['read', 5, 'probation 0 3'],
    ['read', 6, 'up 0 6'],
  ],
  'a miss in probation begins the proof anew': [
    rules,
    ['read', 1, 'up 0 1'],
    ['failed', 2, 'down 1 2'],
    ['read', 3, 'probation 0 3'],
    ['missed', 5, 'probation 1 5'],
    ['read', 7, 'probation 0 5'],
    ['missed', 7, 'probation 1 7'],
    ['read', 10, 'up 0 10'],
  ],
  'two misses in probation are the end as well': [
    rules,
    ['read', 1, 'up 0 1'],
    ['failed', 2, 'down 1 2'],
    ['read', 3, 'probation 0 3'],
    ['missed', 4, 'probation 1 4'],
    ['missed', 5, 'down 2 5'],
  ],
  'what a borrower says changes no health': [
    rules,
    ['read', 1, 'up 0 1'],
    ['reported', 2, 'up 0 1'],
    ['reported', 3, 'up 0 1'],
  ],
  'a link trusts the last observation': [
    lastSight,
    ['reached', 1, 'up 0 1'],
    ['missed', 2, 'down 1 2'],
    ['reached', 3, 'up 0 3'],
  ],
}

describe('the health of an endpoint', () => {
  it.each(Object.entries(stories))('%s', (_, [held, ...phases]) => {
    let member: Member<string> = unknownEndpoint({ host: 'n1', port: 1 }, 0)
    for (const [kind, second, expected] of phases) {
      member = withObservation(member, observation(kind, second * 1_000), held)
      expect(`${member.health} ${member.failures} ${member.sinceMs / 1_000}`).toBe(expected)
    }
  })

  it('keeps the last reading, and when it was made', () => {
    const read = withObservation(up(), { kind: 'read', reading: 'fine', atMs: 7 }, rules)
    const missed = withObservation(read, observation('missed', 9), rules)
    expect(missed).toMatchObject({ reading: 'fine', readAtMs: 7 })
  })

  it('is no news when it is up and answers', () => {
    const member = up()
    expect(withObservation(member, observation('reached', 9), rules)).toBe(member)
  })

  it('remembers a blame until it has been down', () => {
    const blamed = withObservation(up(), observation('reported', 5), rules)
    const read = withObservation(blamed, observation('read', 6), rules)
    const back = withObservation(
      withObservation(read, observation('failed', 7), rules),
      observation('reached', 8),
      rules,
    )
    expect([read.failedAtMs, back.failedAtMs]).toEqual([5, Number.NEGATIVE_INFINITY])
  })
})

function up(): Member<string> {
  return withObservation(
    unknownEndpoint<string>({ host: 'n1', port: 1 }, 0),
    observation('reached', 1),
    rules,
  )
}

function observation(kind: Short, atMs: number): Observation<string> {
  switch (kind) {
    case 'reached':
      return { kind, atMs }
    case 'read':
      return { kind, atMs, reading: 'fine' }
    case 'missed':
    case 'failed':
    case 'reported':
      return { kind, atMs, error }
  }
}
