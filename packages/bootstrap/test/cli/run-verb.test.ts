import { HaError } from '@ha/core'
import { expect, test } from 'vitest'
import {
  exitCodeOf,
  explainInterrupt,
  runVerb,
  type VerbContext,
  type VerbResult,
} from '../../src/cli/run-verb.ts'
import type { RecordedEvent } from '../../src/lab/events.ts'

const answer: VerbResult = { json: { a: 1 }, text: ['one', 'two'], exitCode: 1 }
const event: RecordedEvent = { type: 'formed', elapsedMs: 5, seq: 1, at: 0 }

async function run(
  verb: (context: VerbContext) => Promise<VerbResult>,
  given: { isJson?: boolean; signal?: AbortSignal } = {},
): Promise<{ out: string; errors: string; exitCode: number }> {
  const written = { out: '', errors: '' }
  const screen = (name: 'out' | 'errors') => ({
    isInteractive: false,
    write: (text: string) => {
      written[name] += text
    },
  })
  const exitCode = await runVerb(verb, {
    isJson: given.isJson ?? false,
    signal: given.signal ?? new AbortController().signal,
    streams: { out: screen('out'), errors: screen('errors'), confirm: async () => true },
  })
  return { ...written, exitCode }
}

test('people get lines, programs get one document', async () => {
  expect(await run(async () => answer)).toEqual({ out: 'one\ntwo\n', errors: '', exitCode: 1 })
  expect(await run(async () => answer, { isJson: true })).toEqual({
    out: '{"a":1}\n',
    errors: '',
    exitCode: 1,
  })
})

test('under --json the output is one document although events and text came by', async () => {
  const verb = async (context: VerbContext): Promise<VerbResult> => {
    context.onEvent(event)
    context.print('noise')
    return answer
  }

  expect(JSON.parse((await run(verb, { isJson: true })).out)).toEqual({ a: 1 })
})

test('a failure is one document, too, with its code', async () => {
  const fail = async (): Promise<VerbResult> => {
    throw new HaError('fault-refused', 'no')
  }

  const { out, exitCode } = await run(fail, { isJson: true })

  expect(JSON.parse(out)).toEqual({ error: { code: 'fault-refused', message: 'no' } })
  expect(exitCode).toBe(3)
})

test('a failure is one sentence for people, on the other stream', async () => {
  const fail = async (): Promise<VerbResult> => {
    throw new HaError('node-failed', 'rabbit1 ended')
  }

  expect(await run(fail)).toEqual({ out: '', errors: 'hactl: rabbit1 ended\n', exitCode: 1 })
})

test('an interrupted verb ends with 130, whatever it threw', async () => {
  const fail = async (): Promise<VerbResult> => {
    throw new Error('socket closed')
  }

  expect((await run(fail, { signal: AbortSignal.abort() })).exitCode).toBe(130)
})

test.each([
  ['up', 'the start was undone'],
  ['look', 'nothing was changed'],
  ['fault', 'may still be in force until its deadline'],
  ['down', 'the lab may still be ending'],
] as const)('an interrupted %s says what is true of it', async (kind, words) => {
  const signal = AbortSignal.abort(new HaError('aborted', 'interrupted'))
  const verb = async (context: VerbContext): Promise<VerbResult> => {
    throw context.signal.reason
  }

  expect((await run(explainInterrupt(kind, verb), { signal })).errors).toContain(`interrupted; `)
  expect((await run(explainInterrupt(kind, verb), { signal })).errors).toContain(words)
})

test('what could not be undone after an interrupt is said instead', async () => {
  const fail = async (): Promise<VerbResult> => {
    throw new HaError('aborted', 'what was started could not be ended')
  }
  const { errors } = await run(explainInterrupt('up', fail), { signal: AbortSignal.abort() })

  expect(errors).toBe('hactl: what was started could not be ended\n')
})

test('events are plain lines off a terminal, without escape sequences', async () => {
  const { out } = await run(async (context) => {
    context.onEvent(event)
    return answer
  })

  expect(out).toMatch(/^\d\d:\d\d:\d\d the cluster has formed in 5 ms\none\n/)
  expect(out).not.toContain('\u001b')
})

test.each([
  ['usage', 2],
  ['node-unknown', 2],
  ['lab-exists', 3],
  ['port-taken', 3],
  ['not-agreed', 4],
  ['timed-out', 4],
  ['aborted', 130],
  ['lab-failed', 1],
  ['never heard of', 1],
])('%s ends with %d', (code, exitCode) => {
  expect(exitCodeOf(code)).toBe(exitCode)
})
