import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'

export interface Results {
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
