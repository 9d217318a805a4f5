import type { Ground } from '../ground.ts'
import { type Call, resolveCall } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath } from '../operations/paths.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { Addition, readCounter } from './addition.ts'

/** A whole number that many add to. */
export interface Counter {
  readonly path: string
  /** What it is now; 0 when nobody has added anything. */
  get(options?: CallOptions): Promise<number>
  /**
   * Adds `n`, once or not at all, and gives the sum. When it rejects, `outcome` says which; it is unknown when the
   * answer was lost and others have added so much since that it cannot be told any more.
   */
  add(n: number, options?: CallOptions): Promise<number>
}

/** The counter in the node `path`, which is made by the first addition. */
export function counter(ground: Ground, path: string): Counter {
  checkPath(path, 'counter')
  const resolve = (name: string, options: CallOptions | undefined): Call =>
    resolveCall(name, options, ground.operationTimeoutMs)
  return {
    path,
    get: async (options) => (await readCounter(ground, path, resolve('get', options)))?.value ?? 0,
    add: async (n, options) => {
      checkSummand(path, n)
      return new Addition(ground, path, n, resolve('add', options)).run()
    },
  }
}

function checkSummand(path: string, n: unknown): void {
  if (Number.isSafeInteger(n)) return
  throw new ZookeeperError('config-invalid', `counter ${path}: expected a whole number to add`, { path })
}
