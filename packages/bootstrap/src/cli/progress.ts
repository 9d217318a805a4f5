import type { RecordedEvent } from '../lab/events.ts'
import { liveTable } from './living-table.ts'
import { clockTime, describeEvent } from './sentences.ts'

/** Where text goes, and what it may contain. */
export interface Screen {
  write(text: string): void
  /** A terminal that takes cursor movements and colours. */
  readonly isInteractive: boolean
}

/** Shows the events of a journal while somebody waits. */
export interface Progress {
  show(event: RecordedEvent): void
  /** Leaves the screen as it is for whatever comes next. */
  end(): void
}

/** A living table in a terminal, one line for each event elsewhere. Both render the same journal. */
export function progressOn(screen: Screen): Progress {
  return screen.isInteractive ? liveTable(screen) : plainLines(screen)
}

/** No escape sequences, nothing ever overwritten: for pipes, logs and NO_COLOR. */
export function plainLines(screen: Screen): Progress {
  return {
    show(event) {
      const text = describeEvent(event)
      if (text !== undefined) screen.write(`${clockTime(event.at)} ${text}\n`)
    },
    end: () => undefined,
  }
}
