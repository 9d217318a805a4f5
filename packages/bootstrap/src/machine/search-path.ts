import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** What a search looks into, of the environment of whoever starts the lab. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The folders in which programs are looked for, in their order. */
export function searchPath(environment: Environment): readonly string[] {
  return (environment['PATH'] ?? '').split(':').filter((folder) => folder !== '')
}

/** The first file of that name in the folders. */
export function findProgram(name: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}
