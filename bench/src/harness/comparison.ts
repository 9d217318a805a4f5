import { markdownTable, saveResults } from './report.ts'
import { ms, spread } from './stats.ts'

/** The result of one client under a fault, as far as all benchmarks measure it. */
export interface ComparedClient {
  readonly name: string
  /** Undefined: it never came back. */
  readonly darkMs: number | undefined
  readonly unhandled: readonly string[]
}

/** One fault, and the results of all clients under it. */
export interface ComparedFault<F extends ComparedClient> {
  /** The dark time of the baseline probe; undefined: it never succeeded again. */
  readonly floorMs: number | undefined
  readonly clients: readonly F[]
}

/** A column: its name, and its cell for a client in a group of like faults. */
export type ClientColumn<F extends ComparedClient> = readonly [
  name: string,
  cell: (group: readonly ComparedFault<F>[], client: string) => string,
]

const never = Number.POSITIVE_INFINITY

/** The results of a client in each of a group of like faults. */
export function resultsOf<F extends ComparedClient>(
  group: readonly ComparedFault<F>[],
  client: string,
): readonly F[] {
  return group.flatMap(({ clients }) => clients.filter(({ name }) => name === client))
}

/** A column that adds up. */
export function sumColumn<F extends ComparedClient>(
  name: string,
  count: (one: F) => number,
): ClientColumn<F> {
  return [name, (group, client) => String(resultsOf(group, client).reduce((sum, one) => sum + count(one), 0))]
}

/** The columns of silence: how many faults, the client's silence in them, called `name`, and the floor's. */
export function darkColumns<F extends ComparedClient>(name: string): readonly ClientColumn<F>[] {
  const dark = (group: readonly ComparedFault<F>[], client: string): ReturnType<typeof spread> =>
    spread(resultsOf(group, client).map(({ darkMs }) => darkMs ?? never))
  return [
    ['n', (group) => String(group.length)],
    [`${name}, median`, (group, client) => ms(dark(group, client)?.median)],
    ['worst', (group, client) => ms(dark(group, client)?.max)],
    ['floor, median', (group) => ms(spread(group.map(({ floorMs }) => floorMs ?? never))?.median)],
  ]
}

/** Several clients under the same faults, to be reported. */
interface Comparison<F extends ComparedClient, R extends ComparedFault<F>> {
  /** What the results are saved as. */
  readonly file: string
  readonly title: string
  readonly clients: readonly { readonly name: string; readonly settings: string }[]
  readonly columns: readonly ClientColumn<F>[]
  /** Results of like faults, each group with its name. */
  readonly groups: readonly (readonly [name: string, group: readonly R[]])[]
  readonly timelineOf: (result: R) => string
  /** The part of a result that is saved. */
  readonly dataOf: (result: R) => unknown
}

/** Prints and saves a comparison: a row for each fault and client, and how each client was set. */
export function reportComparison<F extends ComparedClient, R extends ComparedFault<F>>({
  file,
  title,
  clients,
  columns,
  groups,
  timelineOf,
  dataOf,
}: Comparison<F, R>): void {
  if (groups.length === 0) return
  const head = ['fault', 'client', ...columns.map(([name]) => name)]
  const rows = groups.flatMap(([fault, group]) =>
    clients.map(({ name }) => [fault, name, ...columns.map(([, cell]) => cell(group, name))]),
  )
  const settings = clients.map((client) => `- ${client.name}: ${client.settings}`).join('\n')
  const table = `${markdownTable(head, rows)}\n\n${settings}`
  const pictures = groups.flatMap(([name, group]) =>
    group.slice(0, 1).map((first) => [name, timelineOf(first)] as const),
  )
  const data = groups.flatMap(([, group]) => group.map(dataOf))
  const where = saveResults(file, { title, table, pictures, data })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

/** Runs experiments one after the other into `results`, with a line for each. */
export async function runSeries<E, R>(
  experiments: readonly E[],
  {
    run,
    summaryLine,
    results,
  }: {
    readonly run: (experiment: E) => Promise<R>
    readonly summaryLine: (result: R) => string
    readonly results: R[]
  },
): Promise<void> {
  for (const [i, experiment] of experiments.entries()) {
    const result = await run(experiment)
    results.push(result)
    console.log(`${String(i + 1).padStart(3)}/${experiments.length} ${summaryLine(result)}`)
  }
}

/** Results by the name of what was done, in the order in which they first came. */
export function groupedBy<R>(
  results: readonly R[],
  faultName: (result: R) => string,
): readonly (readonly [name: string, group: readonly R[]])[] {
  const groups = new Map<string, R[]>()
  for (const result of results) {
    const name = faultName(result)
    groups.set(name, [...(groups.get(name) ?? []), result])
  }
  return [...groups]
}
