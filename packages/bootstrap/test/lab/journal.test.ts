import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Journal, readEvents } from '../../src/lab/journal.ts'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-book-'))
  path = join(folder, 'events.jsonl')
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const fault = { node: 'rabbit1', action: 'kill', begunAt: 1, healsAt: 2 } as const

test('what is recorded takes effect, is heard, and is read back by the next journal', () => {
  const journal = new Journal(path)
  const heard: string[] = []
  journal.onEvent((event) => heard.push(`${event.seq} ${event.type}`))

  journal.record({ type: 'fault-begun', fault })
  journal.record({ type: 'formed', elapsedMs: 5 })

  expect(heard).toEqual(['1 fault-begun', '2 formed'])
  expect(journal.state.faults).toEqual({ rabbit1: fault })
  expect(new Journal(path).state).toEqual(journal.state)
})

test('a last line that a crash cut short is left out, and the next record stands on a line of its own', () => {
  new Journal(path).record({ type: 'fault-begun', fault })
  appendFileSync(path, '{"type":"fault-hea')

  const journal = new Journal(path)
  journal.record({ type: 'formed', elapsedMs: 5 })

  expect(readEvents(path).map((event) => event.type)).toEqual(['fault-begun', 'formed'])
})

test('a listener that left hears nothing more', () => {
  const journal = new Journal(path)
  const heard: string[] = []
  const off = journal.onEvent((event) => heard.push(event.type))

  off()
  journal.record({ type: 'ended' })

  expect(heard).toEqual([])
})

test('a journal that is a folder is refused with one sentence, by its path', () => {
  mkdirSync(path)
  const refused = expect.objectContaining({
    code: 'config-invalid',
    message: expect.stringContaining(`the journal ${path} cannot be read (it is a folder)`),
  })

  expect(() => readEvents(path)).toThrow(refused)
  expect(() => new Journal(path)).toThrow(refused)
})
