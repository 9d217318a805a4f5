import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  assessAgreement,
  type MemberAnswer,
  type MemberView,
  reportsPartition,
} from '../../src/model/membership.ts'

const members = ['a', 'b', 'c']
const whole: MemberView = { kind: 'answered', members, running: members, apart: [], history: null }
const answers = (views: readonly MemberView[]): readonly MemberAnswer[] =>
  views.map((view, i) => ({ member: members[i] ?? '', view }))

test('all members agree when each lists all and sees all running', () => {
  expect(assessAgreement(answers([whole, whole, whole]))).toEqual({ kind: 'agreed', members })
})

const liars: readonly (readonly [string, MemberView, string])[] = [
  ['is silent', { kind: 'silent', because: 'it is paused' }, 'it is paused'],
  ['still starts', { kind: 'starting', because: 'not yet' }, 'not yet'],
  ['lists fewer members', { ...whole, members: ['a', 'b'] }, 'it lists the members [a b]'],
  ['sees fewer running', { ...whole, running: ['b'] }, 'it sees only [b] running'],
  ['lists a stranger', { ...whole, members: ['a', 'b', 'x'] }, 'it lists the members [a b x]'],
  ['is partitioned', { ...whole, apart: ['a'] }, 'it is partitioned from [a]'],
]

test.each(liars)('a member that %s is named with its reason', (_, view, because) => {
  expect(assessAgreement(answers([whole, view, whole]))).toEqual({ kind: 'disagreed', member: 'b', because })
})

test('one liar is enough, whatever the others say', () => {
  fc.assert(
    fc.property(fc.nat(2), fc.constantFrom(...liars), (at, [, view]) => {
      const views = members.map((_, i) => (i === at ? view : whole))

      expect(assessAgreement(answers(views))).toMatchObject({ kind: 'disagreed', member: members[at] })
    }),
  )
})

test('only a member that knows of a parted history woke apart', () => {
  expect(reportsPartition({ ...whole, apart: ['a'] })).toBe(true)
  expect(reportsPartition({ ...whole, running: ['b'] })).toBe(false)
  expect(reportsPartition({ kind: 'silent', because: 'x' })).toBe(false)
})

test('a member that names nobody is vouched for by the others, and one history must be told', () => {
  const told = { ...whole, history: '0-1-7' } as const
  const views = (position: string | null): readonly MemberView[] => [
    told,
    told,
    { kind: 'vouched', history: position },
  ]
  const judged = (position: string | null) =>
    assessAgreement(members.map((member, i) => ({ member, view: views(position)[i] ?? told })))

  expect(judged('0-1-7').kind).toBe('agreed')
  expect(judged(null).kind).toBe('agreed')
  expect(judged('0-1-6')).toMatchObject({
    member: members[2],
    because: "its history is '0-1-6', that of the others '0-1-7'",
  })
})

test('a member that takes no messages does not agree, and says what it lacks', () => {
  const view = {
    kind: 'answered',
    members: ['a'],
    running: ['a'],
    apart: [],
    history: null,
    alarms: ['disk'],
  } as const

  expect(assessAgreement([{ member: 'a', view }])).toEqual({
    kind: 'disagreed',
    member: 'a',
    because: 'it takes no messages: little disk is left (resource alarm)',
  })
})
