import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Answer, judge, type MemberView, wokeApart } from '../../src/model/agreement.ts'

const members = ['a', 'b', 'c']
const whole: MemberView = { kind: 'answered', members, running: members, apart: [] }
const answers = (views: readonly MemberView[]): readonly Answer[] =>
  views.map((view, i) => ({ member: members[i] ?? '', view }))

test('all members agree when each lists all and sees all running', () => {
  expect(judge(answers([whole, whole, whole]))).toEqual({ kind: 'agreed', members })
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
  expect(judge(answers([whole, view, whole]))).toEqual({ kind: 'disagreed', member: 'b', because })
})

test('one liar is enough, whatever the others say', () => {
  fc.assert(
    fc.property(fc.nat(2), fc.constantFrom(...liars), (at, [, view]) => {
      const views = members.map((_, i) => (i === at ? view : whole))

      expect(judge(answers(views))).toMatchObject({ kind: 'disagreed', member: members[at] })
    }),
  )
})

test('only a member that knows of a parted history woke apart', () => {
  expect(wokeApart({ ...whole, apart: ['a'] })).toBe(true)
  expect(wokeApart({ ...whole, running: ['b'] })).toBe(false)
  expect(wokeApart({ kind: 'silent', because: 'x' })).toBe(false)
})
