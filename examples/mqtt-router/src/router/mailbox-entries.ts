import type { Message } from '../message.ts'

/** What happened in a mailbox: a line of the file. */
export type Entry =
  | { readonly kind: 'put'; readonly user: string; readonly message: Message }
  | { readonly kind: 'take'; readonly user: string; readonly messageId: string }

/** What waits for whom: by user, then by id, oldest first. Nobody is in it for whom nothing waits. */
export type Letters = Map<string, Map<string, Message>>

// An entry begins a line of its own: one that was torn before it, by a full disk or a crash, takes nothing with it.
export function encodeEntry(entry: Entry): string {
  return `\n${JSON.stringify(entry)}`
}

/** The entries of a file. Of what was torn nobody was told that it was written: it is left out. */
export function entriesIn(text: string): readonly Entry[] {
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as Entry]
    } catch {
      return []
    }
  })
}

/** Adds to what waits what an entry says. */
export function fold(letters: Letters, entry: Entry): void {
  const { user } = entry
  const box = letters.get(user) ?? new Map<string, Message>()
  if (entry.kind === 'put') box.set(entry.message.id, entry.message)
  else box.delete(entry.messageId)
  if (box.size > 0) letters.set(user, box)
  else letters.delete(user)
}

/** The entries that say the same in fewest words. */
export function putsOf(letters: Letters): readonly Entry[] {
  return [...letters].flatMap(([user, box]) =>
    [...box.values()].map((message): Entry => ({ kind: 'put', user, message })),
  )
}
