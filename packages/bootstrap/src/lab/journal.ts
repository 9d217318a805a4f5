import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { LabEvent, RecordedEvent } from '../lab/events.ts'
import { applyEvent, initialLabState, type LabState } from '../lab/state.ts'

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
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  const events: RecordedEvent[] = []
  for (const line of lines) {
    const event = parseLine(line)
    if (event !== undefined) events.push(event)
  }
  return events
}

// The next record must not continue a line that a crash cut short.
function terminateLastLine(path: string): void {
  if (existsSync(path) && !/(^|\n)$/.test(readFileSync(path, 'utf8'))) appendFileSync(path, '\n')
}

function parseLine(line: string): RecordedEvent | undefined {
  try {
    return line === '' ? undefined : JSON.parse(line)
  } catch {
    // Only a crash in the middle of a write leaves such a line, and its event never took effect.
    return undefined
  }
}
