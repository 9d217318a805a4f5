import { settle } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import type { ConnectionFilter, ConnectionOrigin } from '../../src/server/rules.ts'
import { type ByteRule, type MatchWindow, Script } from '../../src/server/script.ts'

// A protocol in which somebody says a word, and rules add words to what is answered.
interface WordRule {
  readonly when: ConnectionFilter & MatchWindow & { readonly word: string }
  readonly add: string
}

interface Said extends ConnectionOrigin {
  readonly word: string
}

const scriptOf = (...rules: readonly (WordRule | ByteRule)[]): Script<WordRule, ByteRule, Said, string> => {
  const script = new Script<WordRule, ByteRule, Said, string>({
    check: (rule) => {
      if ('word' in rule.when && rule.when.word === '') throw new Error('a rule needs a word')
    },
    defaultPlan: '',
    isMatch: ({ when }, { word }) => when.word === word,
    add: (plan, { add }) => `${plan}${add}`,
  })
  script.add(rules)
  return script
}

const here = { node: 1, connection: 3 }
const hello: Said = { word: 'hello', ...here }
const atByte = (byte: number): ByteRule => ({ when: { from: 'server', byte } })
const stretch = { from: 'server', position: 0, length: 20, ...here } as const

describe('a script', () => {
  const places: readonly { place: ConnectionFilter; answer: string }[] = [
    { place: {}, answer: 'a' },
    { place: here, answer: 'a' },
    { place: { node: 2 }, answer: '' },
    { place: { connection: 1 }, answer: '' },
  ]
  it.each(places)('answers "$answer" to a rule for $place', ({ place, answer }) => {
    expect(scriptOf({ when: { word: 'hello', ...place }, add: 'a' }).planOf(hello)).toBe(answer)
  })

  it('lets the rules that match add to the plan in their order', () => {
    const script = scriptOf(
      { when: { word: 'hello' }, add: 'a' },
      { when: { word: 'bye' }, add: 'b' },
      { when: { word: 'hello' }, add: 'c' },
    )
    expect(script.planOf(hello)).toBe('ac')
  })

  it('skips as many matches as a rule says, and ends when its turns are over', () => {
    const script = scriptOf({ when: { word: 'hello', skip: 2, times: 2 }, add: 'a' })
    expect(Array.from({ length: 6 }, () => script.planOf(hello))).toEqual(['', '', 'a', 'a', '', ''])
  })

  it('counts a match of one rule for that rule alone', () => {
    const script = scriptOf(
      { when: { word: 'hello', times: 1 }, add: 'a' },
      { when: { word: 'bye', times: 1 }, add: 'b' },
    )
    script.planOf(hello)
    expect(script.planOf({ word: 'bye', ...here })).toBe('b')
  })

  it('stops at the byte of a rule among rules of both kinds', () => {
    const script = scriptOf({ when: { word: 'hello' }, add: 'a' }, atByte(7))
    expect(script.stopIn(stretch)).toEqual({ bytes: 7, act: atByte(7) })
  })

  it('removes those of the same rules that were added together, and no others', () => {
    const rule = { when: { word: 'hello' }, add: 'a' }
    const script = scriptOf(rule)
    const remove = script.add([rule, atByte(7)])
    remove()
    expect([script.planOf(hello), script.stopIn(stretch)]).toEqual(['a', undefined])
  })

  it('keeps the counts of the rules that stay', () => {
    const script = scriptOf()
    const remove = script.add([{ when: { word: 'hello' }, add: 'a' }])
    script.add([{ when: { word: 'hello', skip: 1 }, add: 'b' }])
    script.planOf(hello)
    remove()
    expect(script.planOf(hello)).toBe('b')
  })

  it('is empty until a rule of either kind is added, and when it is removed', () => {
    const script = scriptOf()
    const seen = [script.isEmpty]
    const remove = script.add([atByte(1)])
    seen.push(script.isEmpty)
    remove()
    expect([...seen, script.isEmpty]).toEqual([true, false, true])
  })

  it('adds none of the rules when one could never match', () => {
    const script = scriptOf()
    const add = (): unknown => script.add([atByte(1), { when: { word: '' }, add: 'a' }])
    expect(add).toThrow('a rule needs a word')
    expect(script.isEmpty).toBe(true)
  })

  it('lets go on who waits for a name now, and lets wait who comes later', async () => {
    const script = scriptOf()
    const went: string[] = []
    void script.released('go').then(() => went.push('first'))
    script.release('go')
    void script.released('go').then(() => went.push('second'))
    await settle()
    expect(went).toEqual(['first'])
  })
})
