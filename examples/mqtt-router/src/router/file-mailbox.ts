import { type FileHandle, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Message } from '../message.ts'
import type { Mailbox } from './mailbox.ts'
import { type Entry, encodeEntry, entriesIn, fold, type Letters, putsOf } from './mailbox-entries.ts'
import { Turns } from './turns.ts'

/** Mailboxes in one file that grows by an entry for each message put or taken; everything is in memory as well. */
export class FileMailbox implements Mailbox, AsyncDisposable {
  readonly #file: FileHandle
  readonly #letters: Letters
  readonly #turns = new Turns()

  private constructor(file: FileHandle, letters: Letters) {
    this.#file = file
    this.#letters = letters
  }

  /** Opens the file, makes it when there is none, and writes it anew with what waits in it. */
  static async open(path: string): Promise<FileMailbox> {
    const letters: Letters = new Map()
    for (const entry of entriesIn(await textOf(path))) fold(letters, entry)
    await replace(path, putsOf(letters).map(encodeEntry).join(''))
    return new FileMailbox(await open(path, 'a'), letters)
  }

  put(user: string, message: Message): Promise<void> {
    return this.#turns.take('file', async () => {
      if (this.#letters.get(user)?.has(message.id) !== true) await this.#write({ kind: 'put', user, message })
    })
  }

  take(user: string, messageId: string): Promise<void> {
    return this.#turns.take('file', async () => {
      if (this.#letters.get(user)?.has(messageId) === true)
        await this.#write({ kind: 'take', user, messageId })
    })
  }

  async list(user: string): Promise<readonly Message[]> {
    return [...(this.#letters.get(user)?.values() ?? [])]
  }

  async users(): Promise<readonly string[]> {
    return [...this.#letters.keys()]
  }

  /** Closes the file when what was asked for is written. */
  close(): Promise<void> {
    return this.#turns.take('file', () => this.#file.close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // Nobody is told of an entry before it is on the disk.
  async #write(entry: Entry): Promise<void> {
    await this.#file.appendFile(encodeEntry(entry))
    await this.#file.datasync()
    fold(this.#letters, entry)
    // When nothing waits any more, the file can begin anew.
    if (this.#letters.size === 0) await this.#file.truncate()
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

// The old file or the new one is there, whole, whenever the machine stops.
async function replace(path: string, text: string): Promise<void> {
  const draft = `${path}.new`
  await withFile(draft, 'w', async (file) => {
    await file.writeFile(text)
    await file.sync()
  })
  await rename(draft, path)
  await withFile(dirname(path), 'r', (folder) => folder.sync())
}

async function withFile(
  path: string,
  flags: string,
  act: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags)
  try {
    await act(file)
  } finally {
    await file.close()
  }
}
