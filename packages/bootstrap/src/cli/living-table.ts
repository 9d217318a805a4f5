import type { RecordedEvent } from '../lab/events.ts'
import { faultState } from '../lab/faults.ts'
import { fold, initialLabState, type LabState, processOf } from '../lab/state.ts'
import { formatElapsed } from '../model/duration.ts'
import type { Progress, Screen } from './progress.ts'
import { describeEvent } from './sentences.ts'

const frameIntervalMs = 100
const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const

/** What the table shows, folded from events. */
export interface TableState {
  readonly lab: LabState
  /** When each process began to do what it is doing. */
  readonly since: Readonly<Record<string, number>>
  readonly headline: string
  readonly begunAt: number
}

/** A table before its first event. */
export const emptyTable: TableState = { lab: initialLabState, since: {}, headline: '', begunAt: 0 }

/** The table after one more event. */
export function foldTable(table: TableState, event: RecordedEvent): TableState {
  const moved = 'process' in event ? { ...table.since, [event.process]: event.at } : table.since
  return {
    lab: fold(table.lab, event),
    since: moved,
    headline: describeEvent(event)?.split('\n')[0] ?? table.headline,
    begunAt: table.begunAt === 0 ? event.at : table.begunAt,
  }
}

/** The lines of the table at a moment. */
export function tableLines(table: TableState, now: number): readonly string[] {
  const names = Object.keys(table.lab.processes)
  const width = Math.max(0, ...names.map((name) => name.length))
  const beat = spinner[Math.floor(now / frameIntervalMs) % spinner.length] ?? ''
  const rows = names.map((name) => `${tableRow(table, name, width, beat, now)}`)
  return [...rows, `  ${table.headline}  ${formatElapsed(now - table.begunAt)}`]
}

/** Draws the table again and again in its place until it is ended. */
export function liveTable(screen: Screen): Progress {
  let table = emptyTable
  let drawn = 0
  const draw = (): void => {
    const lines = tableLines(table, Date.now())
    const up = drawn === 0 ? '' : `\u001b[${drawn}A`
    screen.write(`${up}\u001b[0J${lines.join('\n')}\n`)
    drawn = lines.length
  }
  const frames = setInterval(draw, frameIntervalMs)
  return {
    show(event) {
      table = foldTable(table, event)
    },
    end() {
      clearInterval(frames)
      draw()
    },
  }
}

function tableRow(table: TableState, name: string, width: number, beat: string, now: number): string {
  const process = processOf(table.lab, name)
  const fault = table.lab.faults[name]
  const since = formatElapsed(now - (table.since[name] ?? now))
  if (fault !== undefined) return `\u001b[33m▲\u001b[0m ${name.padEnd(width)}  ${faultState(fault.action)}`
  switch (process.kind) {
    case 'up':
      return `\u001b[32m✔\u001b[0m ${name.padEnd(width)}  up`
    case 'down':
      return `\u001b[31m✘\u001b[0m ${name.padEnd(width)}  down`
    case 'launching':
    case 'starting':
      return `${beat} ${name.padEnd(width)}  starting  ${since}`
  }
}
