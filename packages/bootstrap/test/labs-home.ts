import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findLabs } from '@ha/bootstrap'
import { processState } from './kernel.ts'

// The same for every run, so that the next finds what a killed one left; the pid keeps two runs apart.
/** The folder of the labs of integration tests. */
export const home: string = join(tmpdir(), `hactl-int-${process.getuid?.() ?? 0}`)

/** A lab's name that tells whose it is. */
export function named(name: string): string {
  return `${name}-${process.pid}`
}

/** Makes the folder, and ends the labs of runs that are over. */
export async function prepareHome(): Promise<void> {
  mkdirSync(home, { recursive: true, mode: 0o700 })
  await Promise.all(
    findLabs({ home })
      .filter(({ name }) => processState(Number(name.split('-').at(-1))) === undefined)
      .map((lab) => lab.down()),
  )
}

/** Ends the labs of this run. */
export async function endOurs(): Promise<void> {
  const ours = findLabs({ home }).filter(({ name }) => name.endsWith(`-${process.pid}`))
  await Promise.all(ours.map((lab) => lab.down()))
}
