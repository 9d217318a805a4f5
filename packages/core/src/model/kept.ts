import { isHaError } from './error.ts'

// Causes that go deeper, or in a circle, are not followed.
const deepest = 8

/**
 * The error, fit to be kept for longer than the turn it was made in. Until the stack of an error is read for the first
 * time, V8 holds the frames it was made in with their receivers: a kept error would keep a dead connection, and what
 * was never sent on it, in memory. Reading costs some microseconds, so it is done where an error stays, not where it
 * is made.
 */
export function detachStack<E extends Error>(error: E): E {
  readStacks(error, deepest)
  return error
}

function readStacks(error: unknown, depth: number): void {
  if (!(error instanceof Error) || depth === 0) return
  void error.stack
  readStacks(error.cause, depth - 1)
  if (isHaError(error)) for (const attempt of error.attempts) readStacks(attempt.error, depth - 1)
}
