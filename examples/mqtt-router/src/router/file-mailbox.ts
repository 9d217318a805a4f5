import { type FileHandle, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Message } from '../message.ts'
import { KeyedQueue } from './keyed-queue.ts'
import type { Mailbox } from './mailbox.ts'

/** Mailboxes in an append-only file: one entry for each message put or taken. The content is also kept in memory. */
export class FileMailbox implements Mailbox, AsyncDisposable {
  readonly #file: FileHandle
  readonly #waiting: WaitingMessages
  readonly #queue = new KeyedQueue()

  private constructor(file: FileHandle, waiting: WaitingMessages) {
    this.#file = file
    this.#waiting = waiting
  }

  /** Opens the file, creates it when it is missing, and compacts it to the messages that wait. */
  static async open(path: string): Promise<FileMailbox> {
    const waiting: WaitingMessages = new Map()
    for (const entry of parseEntries(await readText(path))) applyEntry(waiting, entry)
    await replaceFile(path, compactEntries(waiting).map(encodeEntry).join(''))
    return new FileMailbox(await open(path, 'a'), waiting)
  }

  put(user: string, message: Message): Promise<void> {
    return this.#queue.run('file', async () => {
      if (this.#waiting.get(user)?.has(message.id) !== true)
        await this.#append({ kind: 'put', user, message })
    })
  }

  take(user: string, messageId: string): Promise<void> {
    return this.#queue.run('file', async () => {
      if (this.#waiting.get(user)?.has(messageId) === true)
        await this.#append({ kind: 'take', user, messageId })
    })
  }

  async list(user: string): Promise<readonly Message[]> {
    return [...(this.#waiting.get(user)?.values() ?? [])]
  }

  async users(): Promise<readonly string[]> {
    return [...this.#waiting.keys()]
  }

  /** Closes the file after the pending entries have been written. */
  close(): Promise<void> {
    return this.#queue.run('file', () => this.#file.close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // An entry takes effect only after it is on disk.
  async #append(entry: MailboxEntry): Promise<void> {
    await this.#file.appendFile(encodeEntry(entry))
    await this.#file.datasync()
    applyEntry(this.#waiting, entry)
    // When no message waits, the file can start again from empty.
    if (this.#waiting.size === 0) await this.#file.truncate()
  }
}

/** One line of the file: a message was put into a mailbox or taken from it. */
type MailboxEntry =
  | { readonly kind: 'put'; readonly user: string; readonly message: Message }
  | { readonly kind: 'take'; readonly user: string; readonly messageId: string }

/** The waiting messages by user and then by id, oldest first. Users without a message are not in it. */
type WaitingMessages = Map<string, Map<string, Message>>

// Each entry starts a new line, so that an entry torn by a crash or a full disk does not damage the next one.
function encodeEntry(entry: MailboxEntry): string {
  return `\n${JSON.stringify(entry)}`
}

/** The entries of a file. Torn entries are skipped: their write was never confirmed to a caller. */
function parseEntries(text: string): readonly MailboxEntry[] {
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as MailboxEntry]
    } catch {
      return []
    }
  })
}

function applyEntry(waiting: WaitingMessages, entry: MailboxEntry): void {
  const { user } = entry
  const mailbox = waiting.get(user) ?? new Map<string, Message>()
  if (entry.kind === 'put') mailbox.set(entry.message.id, entry.message)
  else mailbox.delete(entry.messageId)
  if (mailbox.size > 0) waiting.set(user, mailbox)
  else waiting.delete(user)
}

/** The shortest list of entries that leads to these waiting messages. */
function compactEntries(waiting: WaitingMessages): readonly MailboxEntry[] {
  return [...waiting].flatMap(([user, mailbox]) =>
    [...mailbox.values()].map((message): MailboxEntry => ({ kind: 'put', user, message })),
  )
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

// Replaces the file atomically: after a crash, either the old or the new content is complete.
async function replaceFile(path: string, text: string): Promise<void> {
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
  use: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags)
  try {
    await use(file)
  } finally {
    await file.close()
  }
}
