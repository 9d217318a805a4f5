import { asError, fullJitter, isHaError } from '@ha/core'
import type { Ground } from '../ground.ts'
import type { LiveSession } from '../session/live-session.ts'

/** A node that we made and that nobody else has: its name carries a mark, or nobody writes it but its owner. */
export interface OwnNode {
  readonly path: string
  /** The session that it ends with. */
  readonly session: LiveSession
}

/**
 * Deletes a node of our own. Resolves when it is gone, or when that cannot be done now: then it goes on in the
 * background until the node is gone or its session is over, with which the servers delete it. Never rejects.
 */
export async function withdraw(ground: Ground, node: OwnNode): Promise<void> {
  if (await isGone(ground, node)) return
  keepDeleting(ground, node).catch((thrown: unknown) => {
    if (!node.session.signal.aborted) ground.onDefect(`withdrawing ${node.path}`, thrown)
  })
}

const pace = fullJitter({ baseMs: 100, maxMs: 5_000 })

async function keepDeleting(ground: Ground, node: OwnNode): Promise<void> {
  const { clock, random } = ground
  for (let round = 0; ; round++) {
    await clock.sleep(pace(round, random), node.session.signal)
    if (await isGone(ground, node)) return
  }
}

async function isGone(ground: Ground, node: OwnNode): Promise<boolean> {
  if (node.session.signal.aborted) return true
  try {
    await deleteAt(ground, node, neverWritten)
    return true
  } catch (thrown) {
    return codeOf(thrown) === 'bad-version' && (await isGoneAsItIs(ground, node))
  }
}

// Somebody wrote into it. It goes all the same when it is still ours.
async function isGoneAsItIs(ground: Ground, node: OwnNode): Promise<boolean> {
  const { signal, id } = node.session
  try {
    const stat = await ground.operations.exists(node.path, { signal })
    if (stat?.ephemeralOwner === id) await deleteAt(ground, node, stat.version)
    return true
  } catch {
    // Whatever it was, the next round sees it as well.
    return false
  }
}

const neverWritten = 0

function deleteAt({ operations }: Ground, { path, session }: OwnNode, version: number): Promise<boolean> {
  return operations.delete(path, { version, repeatable: true, signal: session.signal })
}

function codeOf(thrown: unknown): string | undefined {
  const error = asError(thrown)
  return isHaError(error) ? error.code : undefined
}
