import { describe, expect, it } from 'vitest'
import { formatEndpoint } from '../../src/address/endpoint.ts'
import { emptyView, type Fact, observe, type View } from '../../src/cluster/cluster-view.ts'

const n = (number: number) => ({ host: `n${number}`, port: 1 })
const error = new Error('gone')

interface Phase {
  readonly fact: Fact
  readonly expected: readonly string[]
  /** Whether the view must be the very same object. */
  readonly noNews?: boolean
}

// Each story is a list of facts, and what must be believed after each.
const stories: Readonly<Record<string, readonly Phase[]>> = {
  'a cluster is listed, and nothing is known of it yet': [
    {
      fact: { kind: 'listed', endpoints: [n(1), n(2)], atMs: 0 },
      expected: ['n1:1 unknown 0', 'n2:1 unknown 0'],
    },
    {
      fact: { kind: 'listed', endpoints: [n(1), n(2)], atMs: 9 },
      expected: ['n1:1 unknown 0', 'n2:1 unknown 0'],
      noNews: true,
    },
  ],
  'an endpoint that is listed twice stands once': [
    { fact: { kind: 'listed', endpoints: [n(1), n(1)], atMs: 0 }, expected: ['n1:1 unknown 0'] },
  ],
  'an endpoint goes down, and each failure counts': [
    { fact: { kind: 'listed', endpoints: [n(1)], atMs: 0 }, expected: ['n1:1 unknown 0'] },
    { fact: { kind: 'failed', endpoint: n(1), atMs: 5, error }, expected: ['n1:1 down 1'] },
    { fact: { kind: 'failed', endpoint: n(1), atMs: 6, error }, expected: ['n1:1 down 2'] },
    { fact: { kind: 'reached', endpoint: n(1), atMs: 7 }, expected: ['n1:1 up 0'] },
    { fact: { kind: 'reached', endpoint: n(1), atMs: 8 }, expected: ['n1:1 up 0'], noNews: true },
  ],
  'what was known of an endpoint survives a new list': [
    {
      fact: { kind: 'listed', endpoints: [n(1), n(2)], atMs: 0 },
      expected: ['n1:1 unknown 0', 'n2:1 unknown 0'],
    },
    { fact: { kind: 'failed', endpoint: n(1), atMs: 5, error }, expected: ['n1:1 down 1', 'n2:1 unknown 0'] },
    {
      fact: { kind: 'listed', endpoints: [n(3), n(1)], atMs: 6 },
      expected: ['n3:1 unknown 0', 'n1:1 down 1'],
    },
  ],
  'a fact about a stranger is no news': [
    { fact: { kind: 'listed', endpoints: [n(1)], atMs: 0 }, expected: ['n1:1 unknown 0'] },
    { fact: { kind: 'reached', endpoint: n(7), atMs: 1 }, expected: ['n1:1 unknown 0'], noNews: true },
  ],
}

describe('what is believed of a cluster', () => {
  it.each(Object.entries(stories))('%s', (_, phases) => {
    let view: View = emptyView
    for (const { fact, expected, noNews = false } of phases) {
      const next = observe(view, fact)
      expect(next.members.map((m) => `${formatEndpoint(m.endpoint)} ${m.health} ${m.failures}`)).toEqual(
        expected,
      )
      expect(next === view).toBe(noNews)
      view = next
    }
  })
})
