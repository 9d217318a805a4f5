import { readFileSync } from 'node:fs'

/** The memory that new programs can have without swapping, in MiB; undefined where the kernel does not say. */
export function availableMemoryMib(): number | undefined {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))
  return match === null ? undefined : Math.floor(Number(match[1]) / 1024)
}
