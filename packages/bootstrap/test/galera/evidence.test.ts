import { describe, expect, test } from 'vitest'
import {
  readLastView,
  readRecoveredPosition,
  readSavedState,
  readSourceState,
  setSafeToBootstrap,
} from '../../src/galera/recovery.ts'

const uuid = '721f2781-eba1-4cc6-a958-e0014e0cd70f'
const nobody = '00000000-0000-0000-0000-000000000000'
const state = (history: string, seqno: string, safe: 0 | 1): string =>
  `# GALERA saved state\nversion: 2.1\nuuid:    ${history}\nseqno:   ${seqno}\nsafe_to_bootstrap: ${safe}\n`

describe('grastate.dat', () => {
  test('of a node that was stopped gracefully', () => {
    expect(readSavedState(state(uuid, '15', 1))).toEqual({
      history: uuid,
      position: 15,
      isMarkedSafe: true,
    })
  })

  test('of a node that crashed has a history and no position', () => {
    expect(readSavedState(state(uuid, '-1', 0))).toEqual({
      history: uuid,
      position: null,
      isMarkedSafe: false,
    })
  })

  test.each([state(nobody, '-1', 0), ''])('of a node without data has no history', (text) => {
    expect(readSavedState(text)).toEqual({ history: null, position: null, isMarkedSafe: false })
  })

  test('takes another mark and keeps the rest', () => {
    expect(setSafeToBootstrap(state(uuid, '15', 1), false)).toBe(state(uuid, '15', 0))
    expect(setSafeToBootstrap(state(uuid, '15', 0), true)).toBe(state(uuid, '15', 1))
  })
})

describe('what --wsrep-recover prints', () => {
  const line = (position: string): string => `2026-11-21 [Note] WSREP: Recovered position: ${position}\n`

  test.each([
    [line(`${uuid}:350454`), 350_454],
    [line(`${uuid}:12,0-1-7`), 12],
    [line(`${uuid}:3`) + line(`${uuid}:4`), 4],
  ])('%j is a position, and the last one counts', (output, position) => {
    expect(readRecoveredPosition(output)).toEqual({ history: uuid, position })
  })

  test.each([line(`${nobody}:-1`), 'WSREP: Position recovery skipped', ''])('%j is none', (output) => {
    expect(readRecoveredPosition(output)).toBeUndefined()
  })
})

test('the last view is the same whoever of its members wrote it', () => {
  const view = 'view_id: 3 a 4\nbootstrap: 0\nmember: a 0\nmember: b 0\n'
  const written = (by: string): string => `my_uuid: ${by}\n#vwbeg\n${view}#vwend\n`

  expect(readLastView(written('a'))).toBe(readLastView(written('b')))
  expect(readLastView(written('a'))).toContain('member: b 0')
  expect(readLastView('')).toBeNull()
})

test.each([
  ['Primary', 'primary'],
  ['non-Primary', 'without-majority'],
  ['Disconnected', 'without-majority'],
])('a running node whose cluster status is %s is %s', (status, kind) => {
  const output = `wsrep_last_committed\t7\nwsrep_local_state_uuid\t${uuid}\nwsrep_cluster_status\t${status}\n`

  expect(readSourceState(output)).toEqual({ kind, history: uuid, position: 7 })
  expect(readSourceState('')).toBeUndefined()
})
