import type { OptionReader } from '@ha/core/driver'

/** Reads an option that has no default: not given, it is undefined. */
export function optional<T>(reader: OptionReader<T>): OptionReader<T | undefined> {
  return {
    read: (value, path, problems) => (value === undefined ? undefined : reader.read(value, path, problems)),
  }
}
