import type { Recorded } from '../lab/events.ts'
import { participle } from '../lab/faults.ts'
import { fold, type LabState, processOf, unbornLab } from '../lab/state.ts'
import { formatElapsed } from '../model/duration.ts'
import type { Progress, Screen } from './progress.ts'
import { sentence } from './sentences.ts'

const frameMs = 100
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
export const emptyTable: TableState = { lab: unbornLab, since: {}, headline: '', begunAt: 0 }

/** The table after one more event. */
export function foldTable(table: TableState, event: Recorded): TableState {
  const moved = 'process' in event ? { ...table.since, [event.process]: event.at } : table.since
  return {
    lab: fold(table.lab, event),
    since: moved,
    headline: sentence(event)?.split('\n')[0] ?? table.headline,
    begunAt: table.begunAt === 0 ? event.at : table.begunAt,
  }
}

/** The lines of the table at a moment. */
export function tableLines(table: TableState, now: number): readonly string[] {
  const names = Object.keys(table.lab.processes)
  const width = Math.max(0, ...names.map((name) => name.length))
  const beat = spinner[Math.floor(now / frameMs) % spinner.length] ?? ''
  const rows = names.map((name) => `${rowOf(table, name, width, beat, now)}`)
  return [...rows, `  ${table.headline}  ${formatElapsed(now - table.begunAt)}`]
}

/** Draws the table again and again in its place until it is ended. */
export function livingTable(screen: Screen): Progress {
  let table = emptyTable
  let drawn = 0
  const draw = (): void => {
    const lines = tableLines(table, Date.now())
    const up = drawn === 0 ? '' : `\u001b[${drawn}A`
    screen.write(`${up}\u001b[0J${lines.join('\n')}\n`)
    drawn = lines.length
  }
  const frames = setInterval(draw, frameMs)
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

function rowOf(table: TableState, name: string, width: number, beat: string, now: number): string {
  const process = processOf(table.lab, name)
  const fault = table.lab.faults[name]
  const since = formatElapsed(now - (table.since[name] ?? now))
  if (fault !== undefined) return `\u001b[33m▲\u001b[0m ${name.padEnd(width)}  ${participle(fault.action)}`
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
