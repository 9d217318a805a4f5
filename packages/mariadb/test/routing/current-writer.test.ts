import { HaError, type Routing } from '@ha/core'
import { expect, test } from 'vitest'
import { type CurrentWriter, nextWriter } from '../../src/routing/router.ts'

const error = new HaError('unreachable', 'nobody')
const nowhere: Routing = { kind: 'none', error }
const alive = () => false

function to(...hosts: readonly string[]): Routing {
  return { kind: 'go', endpoints: hosts.map((host) => ({ host, port: 1 })) }
}

const away: CurrentWriter = { kind: 'unavailable', name: 'b:1', error }

test('the first that is chosen serves', () => {
  expect(nextWriter({ kind: 'none' }, to('a', 'b'), 0, alive)).toEqual({ kind: 'serving', name: 'a:1' })
})

test('a client that never wrote has nobody to come back to', () => {
  expect(nextWriter({ kind: 'none' }, nowhere, 0, alive)).toEqual({ kind: 'none' })
})

test('when nobody can be used, the one that served is remembered', () => {
  expect(nextWriter({ kind: 'serving', name: 'b:1' }, nowhere, 0, alive)).toEqual(away)
})

test('it is waited for when others come back first, for a moment', () => {
  const awaited = nextWriter(away, to('a'), 1_000, alive)
  expect(awaited).toMatchObject({ kind: 'awaiting-return', name: 'b:1', sinceMs: 1_000 })
  expect(nextWriter(awaited, to('a'), 1_499, alive)).toMatchObject({ kind: 'awaiting-return' })
  expect(nextWriter(awaited, to('b', 'a'), 1_200, alive)).toEqual({ kind: 'serving', name: 'b:1' })
  expect(nextWriter(awaited, to('a'), 1_500, alive)).toEqual({ kind: 'serving', name: 'a:1' })
})

test('one that is down is not waited for', () => {
  expect(nextWriter(away, to('a'), 1_000, () => true)).toEqual({ kind: 'serving', name: 'a:1' })
})
