import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { asError } from '@ha/core/driver'
import type { LabEvent, RecordedEvent } from '../lab/events.ts'
import { applyEvent, initialLabState, type LabState } from '../lab/state.ts'
import { labError } from '../model/errors.ts'

/** The journal of a lab and the state that results from it. The supervisor is its only writer. */
export class Journal {
  readonly #path: string
  readonly #listeners = new Set<(event: RecordedEvent) => void>()
  readonly #events: RecordedEvent[]
  #state: LabState

  constructor(path: string) {
    this.#path = path
    terminateLastLine(path)
    this.#events = readEvents(path)
    this.#state = this.#events.reduce(applyEvent, initialLabState)
  }

  get state(): LabState {
    return this.#state
  }

  get events(): readonly RecordedEvent[] {
    return this.#events
  }

  /** Appends an event to the file, then updates the state, then notifies the listeners. */
  record(event: LabEvent): void {
    const recorded: RecordedEvent = { ...event, seq: this.#events.length + 1, at: Date.now() }
    appendFileSync(this.#path, `${JSON.stringify(recorded)}\n`, { mode: 0o600 })
    this.#events.push(recorded)
    this.#state = applyEvent(this.#state, recorded)
    for (const listener of this.#listeners) listener(recorded)
  }

  /** Adds a listener; the returned function removes it. */
  onEvent(listener: (event: RecordedEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** Reads the events of a journal; a last line that a crash cut short is skipped. */
export function readEvents(path: string): RecordedEvent[] {
  const lines = readJournal(path).split('\n')
  const events: RecordedEvent[] = []
  for (const line of lines) {
    const event = parseLine(line)
    if (event !== undefined) events.push(event)
  }
  return events
}

// The text of a journal; empty when there is none. Throws `internal` when something else is in its place.
function readJournal(path: string): string {
  if (!existsSync(path)) return ''
  try {
    return readFileSync(path, 'utf8')
  } catch (thrown) {
    throw unreadableJournal(path, asError(thrown))
  }
}

function unreadableJournal(path: string, cause: NodeJS.ErrnoException): Error {
  const why = cause.code === 'EISDIR' ? 'it is a folder' : (cause.code ?? cause.name)
  const message = `the journal ${path} cannot be read (${why}): move it away, or end the processes of the lab and remove its folder`
  return labError('config-invalid', message, { cause })
}

// The next record must not continue a line that a crash cut short.
function terminateLastLine(path: string): void {
  if (!/(^|\n)$/.test(readJournal(path))) appendFileSync(path, '\n')
}

function parseLine(line: string): RecordedEvent | undefined {
  try {
    return line === '' ? undefined : JSON.parse(line)
  } catch {
    // Only a crash in the middle of a write leaves such a line, and its event never took effect.
    return undefined
  }
}
