import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'

interface Results {
  readonly title: string
  /** Markdown. */
  readonly table: string
  /** Name and SVG of each. */
  readonly pictures: readonly (readonly [string, string])[]
  readonly data: unknown
}

/** Writes results as Markdown, JSON and pictures below `.ha/results`; returns the paths, Markdown first. */
export function saveResults(name: string, { title, table, pictures, data }: Results): readonly string[] {
  const at = new Date().toISOString().slice(0, 19).replaceAll(':', '-')
  const folder = join(process.cwd(), '.ha', 'results', `${name}-${at}`)
  mkdirSync(folder, { recursive: true })
  const files: string[] = []
  const write = (file: string, content: string): void => {
    const path = join(folder, file)
    writeFileSync(path, content)
    files.push(relative(process.cwd(), path))
  }
  write('report.md', `# ${title}\n\n${table}\n`)
  write('data.json', `${JSON.stringify(data, null, 2)}\n`)
  for (const [picture, svg] of pictures) write(`${picture.replaceAll(/[^a-z0-9]+/gi, '-')}.svg`, svg)
  return files
}

/** A table as Markdown that is also readable in a terminal: columns padded to one width. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, i) => Math.max(3, cell.length, ...rows.map((row) => (row[i] ?? '').length)))
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, i) => (cells[i] ?? '').padEnd(width)).join(' | ')} |`
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  return [line(head), rule, ...rows.map(line)].join('\n')
}

/** How often a guarantee was violated, and which one. */
export type Violation = readonly [count: number, words: string]

/** The guarantees that were violated, as text; empty when all held. */
export function describeViolations(promises: readonly Violation[]): string {
  return promises
    .filter(([count]) => count > 0)
    .map(([count, words]) => `${count} ${words}`)
    .join(', ')
}

/** The last sentence of a demo, from the violations in each of its parts. */
export function guaranteeSummary(client: string, acts: readonly string[]): string {
  const broken = acts.filter((words) => words !== '')
  return `${client}: ${broken.length === 0 ? 'all guarantees held.' : `VIOLATED: ${broken.join('; ')}`}`
}
