import { asError } from '@ha/core/driver'
import { ZookeeperError } from '../zookeeper-error.ts'

/**
 * Calls a function that a user gave us; `what` is its name. What it throws may look like anything, such as a connection
 * that was lost: only as a cause does it go on from here.
 */
export function called<T>(what: string, path: string, fn: () => T): T {
  try {
    return fn()
  } catch (thrown) {
    throw threw(what, path, asError(thrown))
  }
}

function threw(what: string, path: string, cause: Error): ZookeeperError {
  const message = `the ${what} function of ${path} threw: ${cause.message}`
  return new ZookeeperError('internal', message, { path, cause })
}
