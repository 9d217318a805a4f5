import type { RecoveryDecision } from '../galera/recovery.ts'
import type { RecordedEvent } from '../lab/events.ts'
import { faultState } from '../lab/faults.ts'
import { applyEvent, initialLabState, type LabState, processOf } from '../lab/state.ts'
import type { LabStatus, NodeStatus } from '../lab/status.ts'
import { roleOf } from '../model/membership.ts'
import { formatElapsed } from '../model/validation.ts'

/** A stream for text, and what the text may contain. */
export interface Screen {
  write(text: string): void
  /** A terminal that supports cursor movements and colours. */
  readonly isInteractive: boolean
}

/** Shows the events of a journal during a wait. */
export interface Progress {
  show(event: RecordedEvent): void
  /** Leaves the screen as it is for the output that follows. */
  end(): void
}

/** A live table in a terminal, one line for each event elsewhere. Both show the same journal. */
export function progressOn(screen: Screen): Progress {
  return screen.isInteractive ? liveTable(screen) : plainLines(screen)
}

/** One line for each event, without escape sequences: for pipes, logs and NO_COLOR. */
export function plainLines(screen: Screen): Progress {
  return {
    show(event) {
      const text = describeEvent(event)
      if (text !== undefined) screen.write(`${clockTime(event.at)} ${text}\n`)
    },
    end: () => undefined,
  }
}

const frameIntervalMs = 100
const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const

/** The state of the table, folded from events. */
export interface TableState {
  readonly lab: LabState
  /** When each process entered its present state. */
  readonly since: Readonly<Record<string, number>>
  readonly headline: string
  readonly begunAt: number
}

/** The table before its first event. */
export const emptyTable: TableState = { lab: initialLabState, since: {}, headline: '', begunAt: 0 }

/** Returns the table after one more event. */
export function updateTable(table: TableState, event: RecordedEvent): TableState {
  const moved = 'process' in event ? { ...table.since, [event.process]: event.at } : table.since
  return {
    lab: applyEvent(table.lab, event),
    since: moved,
    headline: describeEvent(event)?.split('\n')[0] ?? table.headline,
    begunAt: table.begunAt === 0 ? event.at : table.begunAt,
  }
}

/** The lines of the table at a given time. */
export function tableLines(table: TableState, now: number): readonly string[] {
  const names = Object.keys(table.lab.processes)
  const width = Math.max(0, ...names.map((name) => name.length))
  const frame = spinner[Math.floor(now / frameIntervalMs) % spinner.length] ?? ''
  const rows = names.map((name) => `${tableRow(table, name, width, frame, now)}`)
  return [...rows, `  ${table.headline}  ${formatElapsed(now - table.begunAt)}`]
}

/** Redraws the table in place until it is ended. */
function liveTable(screen: Screen): Progress {
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
      table = updateTable(table, event)
    },
    end() {
      clearInterval(frames)
      draw()
    },
  }
}

function tableRow(table: TableState, name: string, width: number, frame: string, now: number): string {
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
      return `${frame} ${name.padEnd(width)}  starting  ${since}`
  }
}

/** Describes an event in one sentence; undefined for events without interest to users. */
function describeEvent(event: RecordedEvent): string | undefined {
  switch (event.type) {
    case 'planned':
      return [`planned a ${event.kind} lab, version ${event.version}`, ...event.notes].join('; ')
    case 'working':
      return event.on
    case 'process-up':
      return `${event.process} is up after ${formatElapsed(event.elapsedMs)}`
    case 'process-ended':
      return event.asked ? `${event.process} has ended` : `${event.process} has ended by itself`
    case 'fault-begun':
      return `${event.fault.node} is ${faultState(event.fault.action)} until ${clockTime(event.fault.healsAt)}`
    case 'fault-healed':
      return `${event.node} is healed${event.because === 'deadline' ? ' at its deadline' : ''}`
    case 'heal-failed':
      return `${event.node} could not be healed and is retried: ${event.because}`
    case 'member-repaired':
      return `${event.node} did not rejoin by itself and was restarted`
    case 'repair-failed':
      return `${event.node} did not rejoin and could not be restarted: ${event.because}`
    case 'recovering':
      return `${describeDecision(event.decision)}: ${event.decision.because}`
    case 'disagreed':
      return `${event.node} does not agree yet: ${event.because}`
    case 'agreed':
      return `all members agree after ${formatElapsed(event.elapsedMs)}`
    case 'formed':
      return `the cluster has formed in ${formatElapsed(event.elapsedMs)}`
    case 'failed':
      // The whole message, with the end of a log, follows as the error of the command.
      return `the lab has failed: ${event.message.split('\n')[0]}`
    case 'ended':
      return 'the lab has ended'
    case 'supervised':
    case 'process-starting':
    case 'process-started':
      return undefined
  }
}

/** The time of day in the local time zone. */
export function clockTime(at: number): string {
  return new Date(at).toTimeString().slice(0, 8)
}

/** The effect of a decision in a few words. */
export function describeDecision(decision: RecoveryDecision): string {
  switch (decision.kind) {
    case 'join':
      return 'the nodes join'
    case 'promote':
      return `${decision.node} becomes the primary component`
    case 'reunite':
      return 'all nodes start together'
    case 'bootstrap':
      return `${decision.node} bootstraps the cluster`
    case 'refuse':
      return 'no recovery'
  }
}

/** The status of a lab as lines of text: a summary, a table, and problems. */
export function statusLines(status: LabStatus): readonly string[] {
  return [
    `${status.lab}  ${status.kind} ${status.version}  ${summary(status)}`,
    ...nodeTable(status.nodes),
    ...warningLines(status),
  ]
}

// The column of roles is left out where members have none.
function nodeTable(nodes: readonly NodeStatus[]): readonly string[] {
  const roles = nodes.map(({ view }) => roleOf(view))
  const hasRoles = roles.some((role) => role !== undefined)
  const withRole = (
    role: string,
    [name = '', state = '', ...others]: readonly string[],
  ): readonly string[] => (hasRoles ? [name, state, role, ...others] : [name, state, ...others])
  const headings = withRole('ROLE', ['NODE', 'STATE', 'SEES', 'ADDRESS', 'PID', 'FAULT'])
  return formatTable([headings, ...nodes.map((node, i) => withRole(roles[i] ?? '-', nodeCells(node)))])
}

function warningLines(status: LabStatus): readonly string[] {
  const { phase, agreed, because } = status
  if (phase.kind === 'failed') return [`FAILED  ${phase.message}`]
  return agreed ? [] : [`DISAGREE  ${because}`, ...wayBack(status)]
}

// The command that brings ended nodes back; those with a fault come back by themselves.
function wayBack({ lab, kind, phase, nodes }: LabStatus): readonly string[] {
  const ended = nodes.filter(({ standing }) => standing === 'down')
  const [first] = ended
  if (phase.kind !== 'formed' || first === undefined) return []
  const name = lab === kind ? '' : ` --name ${lab}`
  if (nodes.every(({ pid }) => pid === null))
    return [`DOWN  to bring it back with its data, run: hactl up ${kind}${name}`]
  return [`DOWN  ${ended.map((node) => node.name).join(', ')}; run: hactl resume ${first.name} --name ${lab}`]
}

function summary(status: LabStatus): string {
  switch (status.phase.kind) {
    case 'forming':
      return 'is forming'
    case 'failed':
      return 'has failed'
    case 'ended':
      return 'has ended'
    case 'formed':
      return status.agreed ? `${status.nodes.length} of ${status.nodes.length} agree` : 'members disagree'
  }
}

function nodeCells(node: NodeStatus): readonly string[] {
  return [
    node.name,
    node.standing,
    node.view.kind === 'answered' ? String(node.view.running.length) : '-',
    node.endpoint,
    node.pid === null ? '-' : String(node.pid),
    node.fault === null ? '' : `heals at ${clockTime(node.fault.healsAt)}`,
  ]
}

/** Formats rows of cells as lines; each column is as wide as its widest cell. */
export function formatTable(rows: readonly (readonly string[])[]): readonly string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
