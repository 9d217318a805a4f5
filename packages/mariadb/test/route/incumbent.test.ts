import { HaError, type Routing } from '@ha/core'
import { expect, test } from 'vitest'
import { type Incumbent, succeed } from '../../src/route/incumbent.ts'

const error = new HaError('unreachable', 'nobody')
const nowhere: Routing = { kind: 'none', error }
const alive = () => false

function to(...hosts: readonly string[]): Routing {
  return { kind: 'go', endpoints: hosts.map((host) => ({ host, port: 1 })) }
}

const away: Incumbent = { kind: 'away', name: 'b:1', error }

test('the first that is chosen serves', () => {
  expect(succeed({ kind: 'none' }, to('a', 'b'), 0, alive)).toEqual({ kind: 'serving', name: 'a:1' })
})

test('a client that never wrote has nobody to come back to', () => {
  expect(succeed({ kind: 'none' }, nowhere, 0, alive)).toEqual({ kind: 'none' })
})

test('when nobody can be used, the one that served is remembered', () => {
  expect(succeed({ kind: 'serving', name: 'b:1' }, nowhere, 0, alive)).toEqual(away)
})

test('it is waited for when others come back first, for a moment', () => {
  const awaited = succeed(away, to('a'), 1_000, alive)
  expect(awaited).toMatchObject({ kind: 'awaited', name: 'b:1', sinceMs: 1_000 })
  expect(succeed(awaited, to('a'), 1_499, alive)).toMatchObject({ kind: 'awaited' })
  expect(succeed(awaited, to('b', 'a'), 1_200, alive)).toEqual({ kind: 'serving', name: 'b:1' })
  expect(succeed(awaited, to('a'), 1_500, alive)).toEqual({ kind: 'serving', name: 'a:1' })
})

test('one that is down is not waited for', () => {
  expect(succeed(away, to('a'), 1_000, () => true)).toEqual({ kind: 'serving', name: 'a:1' })
})
