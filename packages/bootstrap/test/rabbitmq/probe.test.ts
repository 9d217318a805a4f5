import { expect, test } from 'vitest'
import {
  leaderExpression,
  majorityVote,
  readLeader,
  readView,
  repairRefusal,
} from '../../src/rabbitmq/probe.ts'

test('a view is read from what a running member prints', () => {
  const printed =
    "{ok, {view, [rabbit1@localhost, 'rabbit-2@localhost'], [rabbit1@localhost], ['rabbit-2@localhost']}}"

  expect(readView(printed)).toEqual({
    kind: 'answered',
    members: ['rabbit1@localhost', 'rabbit-2@localhost'],
    running: ['rabbit1@localhost'],
    apart: ['rabbit-2@localhost'],
    history: null,
  })
})

test('a resource alarm is read, and no alarm is nothing', () => {
  expect(readView('{ok, {view, [a@h], [a@h], [], [disk,memory]}}')).toMatchObject({
    alarms: ['disk', 'memory'],
  })
  expect(readView('{ok, {view, [a@h], [a@h], [], []}}')).not.toHaveProperty('alarms')
})

test('empty lists and line breaks are read', () => {
  expect(readView('{ok, {view, [a@h,\n b@h], [], []}}\n')).toEqual({
    kind: 'answered',
    members: ['a@h', 'b@h'],
    running: [],
    apart: [],
    history: null,
  })
})

test.each(['{ok, starting}', "{error, {'EXIT', noproc}}", '', '{ok, {view, [a@h]}}'])(
  'a member that prints %s is still starting',
  (printed) => {
    expect(readView(printed).kind).toBe('starting')
  },
)

test.each([
  ['{ok, rabbit2@localhost}', 'rabbit2@localhost'],
  ["{ok, 'rabbit-2@localhost'}", 'rabbit-2@localhost'],
  ['{ok, none}', undefined],
  ['{error, nodedown}', undefined],
])('%s names the leader', (printed, leader) => {
  expect(readLeader(printed)).toBe(leader)
})

test('the leader is the one that most members name, the first of equals', () => {
  expect(majorityVote(['a', 'b', 'b'])).toBe('b')
  expect(majorityVote(['a', undefined, 'b'])).toBe('a')
  expect(majorityVote([undefined])).toBeUndefined()
})

test('no name of a queue can end the question and go on as code', () => {
  expect(leaderExpression('/', '">>)), halt(), (<<"')).not.toContain('halt')
})

test('a broker that restarted repaired its member', () => {
  expect(repairRefusal('{ok, {ok, ok}}\n')).toBeUndefined()
})

// erl_call ends with status 0 for all of these.
test.each(['{ok, {ok, {error, timeout}}}', `{error, "*** eval: {'EXIT',boom}"}`, ''])(
  'a restart that printed %s repaired nothing',
  (printed) => {
    expect(repairRefusal(printed)).toContain('it answered')
  },
)
