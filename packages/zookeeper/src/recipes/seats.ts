import { isHaError } from '@ha/core'
import type { Ground } from '../ground.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { persist } from './persist.ts'

/** What is written in the node of a semaphore, to one who counts on so many seats. */
export type Agreement = 'agreed' | 'unwritten' | 'disagreed'

/** Reads what is written there; a node that was only made as a parent holds nothing. */
export function agreementOn(seats: number, written: string): Agreement {
  if (written === '') return 'unwritten'
  return written === String(seats) ? 'agreed' : 'disagreed'
}

/**
 * Makes sure that everybody counts on the same number of seats. Asked by somebody who stands in line: for as long as
 * that is so the servers keep the node, and what is written in it stays.
 */
export async function agreeOnSeats(
  ground: Ground,
  path: string,
  seats: number,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const node = await persist(ground, signal, (options) => ground.operations.get(path, options))
    // Without the node there is no line either, and that is for the line to say.
    if (node === undefined) return
    const written = node.data.toString()
    const agreement = agreementOn(seats, written)
    if (agreement === 'agreed') return
    if (agreement === 'disagreed') throw disagreed(path, seats, written)
    await write(ground, path, seats, node.stat.version, signal)
  }
}

// Whether it was we who wrote it does not matter.
async function write(
  ground: Ground,
  path: string,
  seats: number,
  version: number,
  signal: AbortSignal,
): Promise<void> {
  try {
    await persist(ground, signal, (options) =>
      ground.operations.set(path, String(seats), { ...options, version, repeatable: true }),
    )
  } catch (thrown) {
    if (!isHaError(thrown) || thrown.code !== 'bad-version') throw thrown
  }
}

function disagreed(path: string, seats: number, written: string): ZookeeperError {
  const said = /^\d{1,16}$/.test(written) ? `${written} seats` : 'something that is no number'
  const message = `semaphore ${path}: this client counts on ${seats} seats, the node says ${said}; all have to name the same number`
  return new ZookeeperError('config-invalid', message, { path })
}
