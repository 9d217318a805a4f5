import { fullJitter, isHaError } from '@ha/core'
import { asError } from '@ha/core/driver'
import type { Ground } from '../ground.ts'
import { isLasting } from '../lasting.ts'
import type { LiveSession } from '../session/live-session.ts'

/** A node that we made and that nobody else has: its name carries a mark, or nobody writes it but its owner. */
export interface OwnNode {
  readonly path: string
  /** The session that it ends with. */
  readonly session: LiveSession
}

/**
 * Deletes a node of our own. Resolves when it is gone, or when that cannot be done now: then it goes on in the
 * background until the node is gone or its session is over, with which the servers delete it. Never rejects: that we
 * may not delete it is told as a defect, for until then it stands in everybody's way.
 */
export async function withdraw(ground: Ground, node: OwnNode): Promise<void> {
  const failure = await failureOf(ground, node)
  if (failure === undefined) return
  keepDeleting(ground, node, failure).catch((thrown: unknown) => {
    if (!node.session.signal.aborted) ground.onDefect(`withdrawing ${node.path}`, thrown)
  })
}

const pace = fullJitter({ baseMs: 100, maxMs: 5_000 })

async function keepDeleting(ground: Ground, node: OwnNode, first: Error): Promise<void> {
  const { clock, random, onDefect } = ground
  let isTold = false
  let failure: Error | undefined = first
  for (let round = 0; failure !== undefined; round++) {
    if (!isTold && isRefusal(failure)) {
      isTold = true
      onDefect(`withdrawing ${node.path}`, failure)
    }
    await clock.sleep(pace(round, random), node.session.signal)
    failure = await failureOf(ground, node)
  }
}

// Undefined when it is gone.
async function failureOf(ground: Ground, node: OwnNode): Promise<Error | undefined> {
  const { signal } = node.session
  try {
    if (!signal.aborted) await deleted(ground, node)
    return undefined
  } catch (thrown) {
    return signal.aborted ? undefined : asError(thrown)
  }
}

// Somebody may have written into it. It goes all the same when it is still ours.
async function deleted(ground: Ground, node: OwnNode): Promise<void> {
  const { id, signal } = node.session
  try {
    await deleteAt(ground, node, neverWritten)
  } catch (thrown) {
    if (!isOvertaken(thrown)) throw thrown
    const stat = await ground.operations.exists(node.path, { signal })
    if (stat?.ephemeralOwner === id) await deleteAt(ground, node, stat.version)
  }
}

const neverWritten = 0

function deleteAt({ operations }: Ground, { path, session }: OwnNode, version: number): Promise<boolean> {
  return operations.delete(path, { version, repeatable: true, signal: session.signal })
}

function isRefusal(error: Error): boolean {
  return isLasting(error) && !isOvertaken(error)
}

function isOvertaken(thrown: unknown): boolean {
  return isHaError(thrown) && thrown.code === 'bad-version'
}
