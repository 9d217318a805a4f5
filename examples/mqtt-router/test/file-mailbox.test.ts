import { appendFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileMailbox } from '../src/router/file-mailbox.ts'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailbox-'))
  path = join(folder, 'mailbox.jsonl')
})

afterEach(() => rm(folder, { recursive: true }))

describe('a mailbox in a file', () => {
  it('has what waits, oldest first, when it is opened again', async () => {
    await withMailbox(async (mailbox) => {
      for (const id of ['1', '2', '3']) await mailbox.put('alice', { id, text: id })
      await mailbox.take('alice', '2')
    })
    await withMailbox(async (mailbox) => {
      expect(await mailbox.users()).toEqual(['alice'])
      expect(await mailbox.list('alice')).toEqual([
        { id: '1', text: '1' },
        { id: '3', text: '3' },
      ])
    })
  })

  it('leaves out an entry that was torn, and nothing that came after it', async () => {
    await withMailbox(async (mailbox) => {
      await mailbox.put('alice', { id: '1', text: 'one' })
      await appendFile(path, '\n{"kind":"put","user":"al')
      await mailbox.put('alice', { id: '2', text: 'two' })
    })
    await withMailbox(async (mailbox) => {
      expect(await mailbox.list('alice')).toEqual([
        { id: '1', text: 'one' },
        { id: '2', text: 'two' },
      ])
    })
  })

  it('keeps one of two messages with the same id', async () => {
    await withMailbox(async (mailbox) => {
      await Promise.all(['one', 'again'].map((text) => mailbox.put('alice', { id: '1', text })))
      expect(await mailbox.list('alice')).toEqual([{ id: '1', text: 'one' }])
    })
  })

  it('is an empty file again when nothing waits any more', async () => {
    await withMailbox(async (mailbox) => {
      await mailbox.put('alice', { id: '1', text: 'one' })
      await mailbox.put('bob', { id: '1', text: 'one' })
      await mailbox.take('alice', '1')
      await mailbox.take('bob', '1')
      expect((await stat(path)).size).toBe(0)
    })
  })

  it('holds no more than what waits after it was opened', async () => {
    await withMailbox(async (mailbox) => {
      await mailbox.put('alice', { id: '1', text: 'one' })
      await mailbox.put('alice', { id: '2', text: 'two' })
      await mailbox.take('alice', '1')
    })
    await withMailbox(async () => {
      const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '')
      expect(lines).toEqual(['{"kind":"put","user":"alice","message":{"id":"2","text":"two"}}'])
    })
  })
})

async function withMailbox(act: (mailbox: FileMailbox) => Promise<void>): Promise<void> {
  await using mailbox = await FileMailbox.open(path)
  await act(mailbox)
}
