import type { Recorded } from '../lab/events.ts'
import { livingTable } from './living-table.ts'
import { clockTime, sentence } from './sentences.ts'

/** Where text goes, and what it may contain. */
export interface Screen {
  write(text: string): void
  /** A terminal that takes cursor movements and colours. */
  readonly isLiving: boolean
}

/** Shows the events of a journal while somebody waits. */
export interface Progress {
  show(event: Recorded): void
  /** Leaves the screen as it is for whatever comes next. */
  end(): void
}

/** A living table in a terminal, one line for each event elsewhere. Both render the same journal. */
export function progressOn(screen: Screen): Progress {
  return screen.isLiving ? livingTable(screen) : plainLines(screen)
}

/** No escape sequences, nothing ever overwritten: for pipes, logs and NO_COLOR. */
export function plainLines(screen: Screen): Progress {
  return {
    show(event) {
      const text = sentence(event)
      if (text !== undefined) screen.write(`${clockTime(event.at)} ${text}\n`)
    },
    end: () => undefined,
  }
}
