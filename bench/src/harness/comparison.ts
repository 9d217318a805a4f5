import { saveResults } from './results.ts'
import { ms, spread } from './stats.ts'
import { markdownTable } from './table.ts'

/** How one client fared under a fault, as far as all benches measure it. */
export interface Faring {
  readonly name: string
  /** Undefined: it never came back. */
  readonly darkMs: number | undefined
  readonly unhandled: readonly string[]
}

/** One fault, and how everybody under it fared. */
export interface Faced<F extends Faring> {
  /** What the probe that knows everything saw; undefined: it never came back. */
  readonly floorMs: number | undefined
  readonly fared: readonly F[]
}

/** A column: its name, and its cell for a client in a group of like faults. */
export type ClientColumn<F extends Faring> = readonly [
  name: string,
  cell: (group: readonly Faced<F>[], client: string) => string,
]

const never = Number.POSITIVE_INFINITY

/** How a client fared in each of a group of like faults. */
export function faredOf<F extends Faring>(group: readonly Faced<F>[], client: string): readonly F[] {
  return group.flatMap(({ fared }) => fared.filter(({ name }) => name === client))
}

/** A column that adds up. */
export function sumColumn<F extends Faring>(name: string, count: (one: F) => number): ClientColumn<F> {
  return [name, (group, client) => String(faredOf(group, client).reduce((sum, one) => sum + count(one), 0))]
}

/** The columns of silence: how many faults, the client's silence in them, called `name`, and the floor's. */
export function darkColumns<F extends Faring>(name: string): readonly ClientColumn<F>[] {
  const dark = (group: readonly Faced<F>[], client: string): ReturnType<typeof spread> =>
    spread(faredOf(group, client).map(({ darkMs }) => darkMs ?? never))
  return [
    ['n', (group) => String(group.length)],
    [`${name}, median`, (group, client) => ms(dark(group, client)?.median)],
    ['worst', (group, client) => ms(dark(group, client)?.max)],
    ['floor, median', (group) => ms(spread(group.map(({ floorMs }) => floorMs ?? never))?.median)],
  ]
}

/** Several clients under the same faults, to be told. */
export interface Comparison<F extends Faring, R extends Faced<F>> {
  /** What the results are saved as. */
  readonly file: string
  readonly title: string
  readonly clients: readonly { readonly name: string; readonly settings: string }[]
  readonly columns: readonly ClientColumn<F>[]
  /** Results of like faults, each group with its name. */
  readonly groups: readonly (readonly [name: string, group: readonly R[]])[]
  readonly pictureOf: (result: R) => string
  /** What of a result is worth keeping. */
  readonly kept: (result: R) => unknown
}

/** Prints and saves a comparison: a row for each fault and client, and how each client was set. */
export function reportComparison<F extends Faring, R extends Faced<F>>({
  file,
  title,
  clients,
  columns,
  groups,
  pictureOf,
  kept,
}: Comparison<F, R>): void {
  if (groups.length === 0) return
  const head = ['fault', 'client', ...columns.map(([name]) => name)]
  const rows = groups.flatMap(([fault, group]) =>
    clients.map(({ name }) => [fault, name, ...columns.map(([, cell]) => cell(group, name))]),
  )
  const settings = clients.map((client) => `- ${client.name}: ${client.settings}`).join('\n')
  const table = `${markdownTable(head, rows)}\n\n${settings}`
  const pictures = groups.flatMap(([name, group]) =>
    group.slice(0, 1).map((first) => [name, pictureOf(first)] as const),
  )
  const data = groups.flatMap(([, group]) => group.map(kept))
  const where = saveResults(file, { title, table, pictures, data })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}
