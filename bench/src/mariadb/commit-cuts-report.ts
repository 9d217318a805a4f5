import { saveResults } from '../harness/results.ts'
import { markdownTable } from '../harness/table.ts'
import type { CutResult } from './commit-cuts.ts'

/** Prints and saves what the transactions came to whose line broke. */
export function reportCuts(results: readonly CutResult[], version: string): void {
  const head = [
    'line breaks at',
    'how',
    'transactions',
    'done',
    'reported rolled back',
    'unknown',
    'callbacks run',
    'lost',
    'applied twice',
    'rolled back, they said',
    'sums, nodes',
  ]
  const rows = results.map(({ point, how, callbacks, verdict }) => [
    point,
    how,
    String(verdict.writes),
    String(verdict.done),
    String(verdict.notDone),
    String(verdict.unknown),
    String(callbacks),
    String(verdict.lost),
    String(verdict.twice),
    String(verdict.wronglyNotDone),
    verdict.wrongSums + verdict.unequalNodes === 0 ? 'exact, equal' : 'WRONG',
  ])
  const table = markdownTable(head, rows)
  const title = `MariaDB ${version}, Galera of three: transactions with a ledger whose line breaks`
  const where = saveResults('drill-mariadb-commit', { title, table, pictures: [], data: results })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}
