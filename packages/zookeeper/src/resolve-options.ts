import { asError, type OptionTable, resolveOptions as resolve } from '@ha/core/driver'
import { ZookeeperError } from './zookeeper-error.ts'

/** As that of the core; what it throws is a {@link ZookeeperError}. */
export function resolveOptions<T>(table: OptionTable<T>, given: unknown, name: string): T {
  try {
    return resolve(table, given, name)
  } catch (thrown) {
    throw invalid(asError(thrown))
  }
}

function invalid(cause: Error): ZookeeperError {
  return new ZookeeperError('config-invalid', cause.message, { cause })
}
