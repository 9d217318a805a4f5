import { expect, test } from 'vitest'
import { recoveryLines } from '../../src/cli/verbs.ts'

test('the evidence is a table, and what follows is below it', () => {
  const lines = recoveryLines({
    decision: { kind: 'bootstrap', node: 'db1', because: 'it is the most advanced' },
    evidence: [
      {
        node: 'db1',
        standing: {
          kind: 'down',
          history: 'h',
          position: 7,
          from: 'grastate.dat',
          isMarkedSafe: true,
          lastView: null,
        },
      },
      { node: 'db2', standing: { kind: 'unknown', because: 'it is frozen' } },
    ],
  })

  expect(lines[1]).toMatch(/^db1 +down +h +7 +grastate\.dat +yes$/)
  expect(lines[2]).toBe('db2   unknown: it is frozen')
  expect(lines.at(-1)).toBe('db1 bootstraps the cluster: it is the most advanced')
})
